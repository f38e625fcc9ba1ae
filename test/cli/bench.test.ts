// `seguro bench` against running sidecars: what it measures, what it refuses, and that its scratch ship is gone afterwards, whatever happens.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import t, { type Test } from "tap";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { tempFolder } from "../client/fake-server.ts";
import { builtMain } from "./built.ts";
import { type Serving, seguro, seguroJson, serve, serveIn } from "./command.ts";

const QUICK = ["--seconds", "0.2", "--bytes", "100,10k"];
const QUICKEST = ["--seconds", "0.1", "--bytes", "10k"];

const POLL_MS = 50;

interface ListedShip {
  readonly ship: string;
  readonly kind: string;
  readonly logs: readonly object[];
}

async function shipsWithLogs(serving: Serving): Promise<ListedShip[]> {
  const { json } = await seguroJson(["list", "--socket", serving.socket]);
  return (json.ships as ListedShip[]).filter(({ logs }) => logs.length > 0);
}

/** Appends events as some other program would. */
async function write(serving: Serving, ship: string, firstId: bigint): Promise<void> {
  const client = await Client.connect(serving.socket, ship);
  await client.open({ role: "write", kind: "fake" });
  await client.append(encodeRecords(firstId, [Buffer.from("a"), Buffer.from("b")]));
  await client.acknowledged(firstId + 1n);
  await client.close();
}

t.test("stream and ring on a store on disk", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  await write(serving, "~zod", 1n);
  const socket = ["--socket", serving.socket];

  const { code, json, stderr } = await seguroJson(["bench", ...QUICK, ...socket]);
  t.equal(code, 0, stderr);
  t.match(stderr, /writes up to .* to lmdb:.*\n.*scratch ship is ~\S+ \(fake\)/);
  t.match(json, { transports: ["stream", "ring"], ringRefusal: null, flushRefusal: null, rounds: 3, writtenBytes: /^\d+$/ });
  const rates = (name: string) => (json[name] as { series: string; eventBytes: number; mbPerSecond: number }[]) ?? [];
  for (const [name, series] of [
    ["appends", ["stream", "ring"]],
    ["replays", ["stream", "ring"]],
    ["controls", ["socket", "memcpy"]],
  ] as const) {
    const expected = [100, 10_000].flatMap((bytes) => series.map((each) => `${each} ${bytes}`));
    t.same(
      rates(name).map((rate) => `${rate.series} ${rate.eventBytes}`),
      expected,
      name,
    );
    t.ok(
      rates(name).every(({ mbPerSecond }) => mbPerSecond > 0),
      `${name} took place`,
    );
  }
  const trips = json.roundTrips as { source: string; p50Us: number; p99Us: number; count: number }[];
  t.same(
    trips.map(({ source }) => source),
    ["stream", "ring", "echo", "flush"],
  );
  t.ok(trips.every(({ p50Us, p99Us, count }) => count > 0 && p50Us > 0 && p99Us >= p50Us));
  t.same(
    (await shipsWithLogs(serving)).map(({ ship }) => ship),
    ["~zod"],
    "the scratch ship is gone",
  );
  t.same(
    readdirSync(path.join(folder, "store")).filter((name) => name.includes("bench")),
    [],
    "nothing lies beside the store",
  );

  // A second run takes the forgotten ship again, and writes files.
  const files = { json: path.join(folder, "b.json"), html: path.join(folder, "b.html") };
  const second = await seguro(["bench", ...QUICKEST, ...socket, "--json", files.json, "--html", files.html]);
  t.match(second, { code: 0, stdout: /APPEND, MB\/s +STREAM +RING.*\n10 kB/ });
  t.equal((JSON.parse(readFileSync(files.json, "utf8")) as { ship: string }).ship, json.ship);
  const page = readFileSync(files.html, "utf8");
  t.match(page, /<svg/);
  t.notMatch(page, /<script|https?:|NaN|undefined|Infinity/);

  // Once somebody else has written to that ship it is theirs.
  await write(serving, String(json.ship), 1n);
  const third = await seguroJson(["bench", ...QUICKEST, ...socket]);
  t.match(third, { code: 0, stderr: new RegExp(`an earlier run left ${json.ship} `) });
  t.not(third.json.ship, json.ship);
  t.same((await shipsWithLogs(serving)).map(({ ship }) => ship).toSorted(), [String(json.ship), "~zod"].toSorted());
  await serving.end("SIGTERM");
});

t.test("a sidecar without rings, on a store in memory", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serve(["--socket", path.join(folder, "run", "s"), "--store", "memory:", "--no-ring"]);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const html = path.join(folder, "b.html");
  const { code, stdout, stderr } = await seguro(["bench", ...QUICKEST, "--quiet", "--html", html, "--socket", serving.socket]);
  t.match({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
  t.match(readFileSync(html, "utf8"), /nothing over shared memory: /);
  const { json } = await seguroJson(["bench", ...QUICKEST, "--socket", serving.socket]);
  t.match(json, { transports: ["stream"], ringRefusal: String, store: "memory" });
  t.notOk((json.roundTrips as { source: string }[]).some(({ source }) => source === "flush" || source === "ring"));
  await serving.end("SIGTERM");
});

t.test("what it refuses", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const socket = ["--socket", serving.socket];
  const wrong = [
    ["--bytes", "100,nonsense"],
    ["--bytes", "0"],
    ["--bytes", "65m"],
    ["--bytes", "1,2,3,4,5,6,7,8,9,10,11,12,13"],
    ["--seconds", "0"],
    ["--seconds", "5000"],
    ["--seconds", "600"],
  ];
  for (const args of wrong) {
    const refused = await seguroJson(["bench", ...socket, ...args]);
    t.match(refused, { code: 2, json: { error: { code: "usage", message: String, hint: String } } }, args.join(" "));
  }
  t.match((await seguroJson(["bench", ...socket, "--seconds", "600"])).json, { error: { hint: /--yes/ } });
  t.match(await seguroJson(["bench", "--socket", path.join(folder, "none")]), { code: 3, json: { error: { code: "cannot-connect" } } });
  t.same(await shipsWithLogs(serving), []);
  await serving.end("SIGTERM");
});

/** A run that would take long, beside a sidecar of its own, and that writes already. */
async function longRun(t: Test) {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const child = spawn(process.execPath, [builtMain(), "bench", "--socket", serving.socket, "--seconds", "30", "--bytes", "100"]);
  t.teardown(() => child.kill("SIGKILL"));
  const said = { stderr: "" };
  child.stderr.on("data", (chunk: Buffer) => {
    said.stderr += chunk.toString();
  });
  while (!existsSync(serving.socket) || (await shipsWithLogs(serving)).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return { serving, child, said };
}

t.test("interrupted", async (t) => {
  const { serving, child, said } = await longRun(t);
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number];
  t.equal(code, 130, said.stderr);
  t.match(said.stderr, /interrupted; deleting the scratch ship\n(.*\n)*seguro: interrupted/);
  t.same(await shipsWithLogs(serving), []);
  await serving.end("SIGTERM");
});

t.test("the sidecar ends in the middle", async (t) => {
  const { serving, child, said } = await longRun(t);
  await serving.end("SIGKILL");
  const [code] = (await once(child, "close")) as [number];
  t.ok(code === 1 || code === 3, `${code}: ${said.stderr}`);
  t.match(said.stderr, /is left in the store: .*seguro retire ~\S+ --fake/);
});
