// How verbs fail: wrong usage, no sidecar, piers that are none, logs that differ, a ship that is running; and verbs on a store of their own.
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { tempFolder } from "../client/fake-server.ts";
import { buildPier, payloads } from "../pier/helpers.ts";
import { seguro, seguroJson, serveIn } from "./command.ts";

t.test("usage", async (t) => {
  const cases: string[][] = [
    ["nonsense"],
    ["import"],
    ["verify", "~notaship"],
    ["verify", "~zod", "--fake", "--real"],
    ["list", "--socket", "a", "--store", "lmdb:b"],
  ];
  const results = await Promise.all(
    [...cases, ["restore", "~zod", "d", "--log", "0"], ["list", "--bogus"]].map((args) => seguroJson(args)),
  );
  for (const { code, json, stderr } of results) {
    t.match({ code, json }, { code: 2, json: { error: { code: "usage", message: String, hint: String, exitCode: 2 } } });
    t.equal(stderr, "");
  }
  t.match(await seguro([]), { code: 2, stdout: /Usage: seguro/ });
  t.match(await seguro(["restore", "--help"]), { code: 0, stdout: /--at <event>/, stderr: "" });
  t.match(await seguroJson(["version"]), { code: 0, json: { version: String, protocols: [0, 1], node: process.versions.node } });
  t.match(await seguro(["version", "--quiet"]), { code: 0, stdout: "", stderr: "" });
});

t.test("no sidecar", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const env = { SEGURO_SOCKET: path.join(folder, "none") };
  t.match(await seguro(["list"], { env }), {
    code: 3,
    stdout: "",
    stderr: /^seguro: cannot connect to .*there is no such socket\nhint: start the sidecar/,
  });
  t.match(await seguroJson(["list", "--store", `lmdb:${folder}/none`]), { code: 1, json: { error: { code: "store-missing" } } });
});

t.test("piers that cannot be imported", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const env = { SEGURO_SOCKET: serving.socket };
  t.match(await seguroJson(["import", path.join(folder, "none")], { env }), { code: 1, json: { error: { code: "pier-missing" } } });
  mkdirSync(path.join(folder, "empty"));
  t.match(await seguroJson(["import", path.join(folder, "empty")], { env }), { code: 1, json: { error: { code: "pier-missing" } } });
  const pier = path.join(folder, "zod");
  await buildPier(pier, [{ base: 0n, payloads: payloads(200, 30_000) }]);
  truncateSync(path.join(pier, ".urb/log/0i0/data.mdb"), 3_000_000);
  t.match(await seguroJson(["import", pier], { env }), { code: 5, json: { error: { code: "pier-damaged", exitCode: 5 } } });
  t.match(await seguro(["status"], { env }), { code: 0 }, "the sidecar is none the worse");
  await serving.end("SIGTERM");
});

t.test("logs that differ, ships that run", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const env = { SEGURO_SOCKET: serving.socket };
  const events = payloads(300, 10_000);
  const build = async (name: string, list: Buffer[], base = 0n): Promise<string> => {
    const pier = path.join(folder, name);
    await buildPier(pier, [{ base, payloads: list }]);
    return pier;
  };
  t.match(await seguroJson(["import", await build("whole", events)], { env }), { code: 0 });
  const changed = events.map((event, index) => (index === 149 ? Buffer.from("changed") : event));
  const differs = await seguroJson(["import", await build("changed", changed)], { env });
  t.match(differs, { code: 4, json: { error: { code: "import-differs" } } });
  const [, from, to] = /in events (\d+) to (\d+)/.exec((differs.json.error as { message: string }).message) ?? [];
  t.ok(Number(from) <= 150 && 150 <= Number(to) && Number(to) - Number(from) < 200, `between ${from} and ${to}`);
  t.match(await seguroJson(["import", await build("older", events.slice(0, 200))], { env }), {
    code: 4,
    json: { error: { code: "import-behind" } },
  });
  t.match(await seguroJson(["import", await build("gap", events.slice(0, 5), 400n)], { env }), {
    code: 4,
    json: { error: { code: "import-gap" } },
  });

  const writer = await Client.connect(serving.socket, "~zod");
  await writer.open({ role: "write", kind: "fake" });
  t.match(await seguroJson(["import", path.join(folder, "whole")], { env }), { code: 4, json: { error: { code: "ship-busy" } } });
  t.match(await seguroJson(["retire", "~zod"], { env }), { code: 4, json: { error: { code: "ship-busy" } } });
  t.match(await seguro(["restore", "~zod", path.join(folder, "r1")], { env }), {
    code: 4,
    stderr: /~zod \(fake\) is running: .*\nhint: .*--copy/,
  });
  const copy = await seguroJson(["restore", "~zod", path.join(folder, "r2"), "--copy"], { env });
  t.match(copy, { code: 0, json: { neverBoot: true }, stderr: /copied while the ship was running/ });
  t.same(readdirSync(path.join(folder, "r2")).sort(), [".urb", "NEVER-BOOT-THIS-PIER.txt"]);
  t.match(await seguro(["fence", "~zod"], { env }), { code: 0, stdout: /the claim of session \d+ .* is ended/ });
  await t.rejects(
    writer.append(encodeRecords(301n, [Buffer.from("late")])).then(() => writer.acknowledged(301n)),
    { code: "fenced" },
  );
  await writer.close();
  await serving.end("SIGTERM");
});

t.test("a store without a sidecar, a ship in two kinds, a log without metadata", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  for (const kind of ["fake", "real"] as const) {
    const client = await Client.connect(serving.socket, "~nec");
    await client.open({ role: "write", kind });
    await client.append(encodeRecords(1n, payloads(20, 100)));
    await client.acknowledged(20n);
    await client.close();
  }
  await serving.end("SIGTERM");
  const store = ["--store", serving.store];
  t.match((await seguro(["list", ...store])).stdout, /~nec \(fake\) .*\n|~nec .*\n/);
  t.match(await seguroJson(["verify", "~nec", ...store]), { code: 4, json: { error: { code: "ambiguous-ship" } } });
  t.match(await seguroJson(["verify", "~nec", "--fake", ...store]), { code: 0, json: { events: "20", kind: "fake" } });
  const out = path.join(folder, "nec");
  t.match(await seguroJson(["restore", "~nec", out, "--real", ...store]), { code: 1, json: { error: { code: "no-metadata" } } });
  t.match(await seguroJson(["restore", "~nec", out, "--real", "--life", "5", ...store]), {
    code: 1,
    json: { error: { code: "no-vere-version" } },
  });
  t.match(await seguroJson(["restore", "~nec", out, "--real", "--life", "5", "--vere-version", "4.6", ...store]), {
    code: 0,
    json: { events: "20" },
  });
  t.match(await seguroJson(["retire", "~nec", "--fake", ...store]), { code: 0, json: { log: 1 } });
  t.match(await seguroJson(["forget", "~nec", "--fake", "--log", "1", "--yes", ...store]), { code: 0, json: { events: "20" } });
});

t.test("a store whose bytes were changed", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const client = await Client.connect(serving.socket, "~nec");
  await client.open({ role: "write" });
  const events = payloads(50, 2000);
  await client.append(encodeRecords(1n, events));
  await client.acknowledged(50n);
  await client.close();
  await serving.end("SIGTERM");
  const file = path.join(folder, "store", "data.mdb");
  const bytes = readFileSync(file);
  const at = bytes.indexOf(events[29] ?? "");
  t.ok(at > 0);
  bytes.writeUInt8(bytes.readUInt8(at + 1000) ^ 1, at + 1000);
  writeFileSync(file, bytes);
  const store = ["--store", serving.store];
  const verify = await seguroJson(["verify", "~nec", ...store]);
  t.match(verify, { code: 5, json: { damage: [{ id: String, code: String, text: String }] }, stderr: /do not boot this ship/ });
  const restore = ["restore", "~nec", path.join(folder, "out"), "--life", "5", "--vere-version", "4.6", ...store];
  t.match((await seguroJson(restore)).json, { error: { exitCode: 5 } });
  t.notOk(existsSync(path.join(folder, "out")), "nothing is left of the restore");
});
