// Journal stores with real damage: what verbs say and still do, `seguro repair` without and with --cut, and which logs stay closed afterwards.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { startSidecar } from "../../src/cli/start-sidecar.ts";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { makeLogger } from "../../src/operate/logger.ts";
import { openJournal } from "../../src/store/journal.ts";
import { tempFolder } from "../client/fake-server.ts";
import { seguro, seguroJson, serve, spawnSeguro } from "./command.ts";

const startedAt = "2026-01-01T00:00:00Z";
const KILLS = 8;

/** Repeats its name, so that the name is found in one piece in the segment that holds it. */
function payloadOf(ship: string, id: bigint, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${ship}-event-${id};`);
}

/** A journal store with events 1 to `count` of ~nec and ~zod, in turns, one commit each; and a log of ~bus that is retired. */
async function makeStore(folder: string, count: bigint, bytes: number): Promise<string> {
  const dir = path.join(folder, "store");
  const kv = openJournal(dir, { startedAt, segmentBytes: 1024 * 1024 });
  const socketPath = path.join(folder, "made");
  const sidecar = await startSidecar({ kv, socketPath, logger: makeLogger("silent") });
  const clients = new Map<string, Client>();
  for (const ship of ["~bus", "~nec", "~zod"]) {
    const client = await Client.connect(socketPath, ship);
    await client.open({ role: "write" });
    clients.set(ship, client);
  }
  const append = async (ship: string, id: bigint): Promise<void> => {
    await clients.get(ship)?.append(encodeRecords(id, [payloadOf(ship, id, bytes)]));
    await clients.get(ship)?.acknowledged(id);
  };
  await append("~bus", 1n);
  await clients.get("~bus")?.close();
  const admin = await Client.connect(socketPath, null);
  await admin.open({ role: "admin" });
  await admin.admin({ verb: "retire", ship: "~bus" });
  await admin.close();
  for (let id = 1n; id <= count; id++) {
    await append("~nec", id);
    await append("~zod", id);
  }
  // As after a kill: sessions end without their last digest.
  await sidecar.stop();
  await kv.close();
  return dir;
}

const segmentsOf = (dir: string): string[] =>
  readdirSync(path.join(dir, "segments"))
    .filter((name) => name.endsWith(".segment"))
    .sort()
    .map((name) => path.join(dir, "segments", name));

/** The newest segment that holds an event, and where: behind the end that a cut has set there may be leftovers. */
function find(dir: string, ship: string, id: bigint): { file: string; at: number } {
  for (const file of segmentsOf(dir).reverse()) {
    const at = readFileSync(file).indexOf(`;${ship}-event-${id};`);
    if (at >= 0) return { file, at };
  }
  throw new Error(`event ${id} of ${ship} is in no segment`);
}

function flip(dir: string, ship: string, id: bigint): string {
  const { file, at } = find(dir, ship, id);
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(at + 3) ^ 4, at + 3);
  writeFileSync(file, bytes);
  return file;
}

const contents = (dir: string): Buffer[] => segmentsOf(dir).map((file) => readFileSync(file));

interface Listed {
  readonly ships: { ship: string; logs: { state: string; height: string }[] }[];
}

async function statesOf(store: string): Promise<Record<string, string>> {
  const { json } = await seguroJson(["list", "--store", store]);
  const listed = json as unknown as Listed;
  return Object.fromEntries(listed.ships.map(({ ship, logs }) => [ship, logs.map(({ state }) => state).join()]));
}

t.test("damage in the middle: told, read before it, cut, and accepted ship by ship", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const dir = await makeStore(folder, 30n, 3000);
  const store = `journal:${dir}`;
  const file = flip(dir, "~nec", 15n);
  const before = contents(dir);

  const verify = await seguroJson(["verify", "~nec", "--store", store]);
  t.match(verify, {
    code: 5,
    json: { events: "14", damage: [], storeDamage: { places: [{ file, offset: Number, what: String }] } },
    stderr: /DAMAGE in the commit log.*before the damage/s,
  });
  const { logs } = verify.json.storeDamage as { logs: object[] };
  t.match(logs, [
    { ship: "~zod", log: 1, lost: { first: "15", last: "30" } },
    { ship: "~nec", log: 1, lost: { first: "16", last: "30" } },
    { ship: "~bus", log: 2, lost: null },
  ]);
  t.match(await seguroJson(["verify", "~bus", "--log", "1", "--store", store]), { code: 5, json: { events: "1", damage: [] } });
  t.match(await seguroJson(["list", "--store", store]), {
    code: 5,
    json: { ships: [{ ship: "~zod" }, { ship: "~nec" }, { ship: "~bus" }] },
  });
  t.match(await seguroJson(["status", "--store", store]), { code: 5, json: { storeDamage: { wholeLostRecords: 32 } } });
  const closed = { code: 5, json: { error: { code: "store-damaged", hint: /seguro repair journal:/ } } };
  t.match(await seguroJson(["serve", "--store", store, "--socket", path.join(folder, "s")]), closed);
  t.match(await seguroJson(["retire", "~nec", "--store", store]), closed);

  const out = path.join(folder, "out");
  const restore = ["restore", "~nec", out, "--life", "5", "--vere-version", "4.6", "--store", store];
  t.match(await seguroJson(restore), { code: 5, json: { error: { code: "store-damaged", hint: /--damaged/ } } });
  t.notOk(existsSync(out));
  t.match(await seguroJson([...restore, "--damaged"]), { code: 5, json: { events: "14", neverBoot: true } });
  t.match(readFileSync(path.join(out, "NEVER-BOOT-THIS-PIER.txt"), "utf8"), /before a damage/);

  t.match(await seguro(["repair", store]), {
    code: 5,
    stdout: /at byte \d+: .*\nwhole: everything up to record \d+.*~nec log 1: events 16 to 30\n/s,
    stderr: /nothing was changed/,
  });
  t.ok(
    contents(dir).every((bytes, i) => bytes.equals(before[i] ?? Buffer.alloc(0))),
    "nothing was changed",
  );

  const holder = openJournal(dir, { startedAt, readOnly: true, beforeDamage: true });
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 4, json: { error: { code: "store-locked" } } });
  await holder.close();

  const cut = await seguroJson(["repair", store, "--cut"]);
  t.match(cut, { code: 0, json: { cut: true, aside: String }, stderr: /stay closed.*--accept/s });
  const copies = readdirSync(String(cut.json.aside)).map((name) => readFileSync(path.join(String(cut.json.aside), name)));
  t.ok(
    copies.some((copy) => before.some((bytes) => bytes.equals(copy) && copy.includes("~nec-event-20;"))),
    "a copy as it was",
  );
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 4, json: { error: { code: "no-damage" } } });
  t.match(await seguroJson(["repair", store]), { code: 0, json: { damage: null } });

  t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
  t.match(await seguroJson(["verify", "~bus", "--log", "1", "--store", store]), { code: 0, json: { events: "1" } });
  t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 5, json: { events: "14" } });
  t.match(await seguroJson([...restore.slice(0, 2), `${out}2`, ...restore.slice(3)]), {
    json: { error: { code: "store-damaged", message: /cut at record \d+.*up to event 30/, hint: /--accept ~nec/ } },
  });
  t.match(await seguroJson(["repair", store, "~nec", "--accept"]), { code: 0, json: { accepted: [{ ship: "~nec", logs: [1] }] } });
  t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 0, json: { events: "14" } });

  const serving = await serve(["--store", store, "--socket", path.join(folder, "s")]);
  t.teardown(() => serving.process.kill("SIGKILL"));
  t.match(await seguroJson(["repair", store]), { code: 4, json: { error: { code: "store-locked" } } }, "a sidecar has it open");
  const zod = await Client.connect(serving.socket, "~zod");
  await t.rejects(zod.open({ role: "write" }), { code: "store-damaged" });
  await zod.close();
  const nec = await Client.connect(serving.socket, "~nec");
  t.match(await nec.open({ role: "write" }), { height: 14n });
  await nec.append(encodeRecords(15n, [payloadOf("~nec", 15n, 3000)]));
  await nec.acknowledged(15n);
  await nec.close();
  await serving.end("SIGTERM");
  t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 0, json: { events: "15" } });

  t.comment("a second damage: the mark of the first was deleted by a record, which must not delete that of the second");
  flip(dir, "~nec", 15n);
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 0 });
  t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
});

t.test("damage in the last commit: nobody knows whose it was, so every log that could be written stays closed", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const dir = await makeStore(folder, 5n, 3000);
  const store = `journal:${dir}`;
  // The last commits are small records of the sessions' ends.
  const bytes = readFileSync(find(dir, "~zod", 5n).file);
  let last = -1;
  for (let at = 4096; at < bytes.length; at += 512) if (bytes.readBigUInt64LE(at + 496) > 0n) last = at;
  bytes.writeUInt8(bytes.readUInt8(last + 8) ^ 1, last + 8);
  writeFileSync(find(dir, "~zod", 5n).file, bytes);
  const found = await seguroJson(["repair", store]);
  t.match(found, {
    code: 5,
    json: {
      wholeLostRecords: 0,
      logs: [
        { ship: "~zod", lost: null },
        { ship: "~nec", lost: null },
        { ship: "~bus", log: 2, lost: null },
      ],
    },
  });
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 0 });
  t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
  t.match(await seguroJson(["repair", store, "~nec", "~zod", "--accept"]), { code: 0 });
  t.match(await seguroJson(["verify", "~zod", "--store", store]), { code: 0, json: { events: "5" } });
});

t.test("a segment that is gone, and all of them", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const dir = await makeStore(folder, 30n, 60_000);
  const all = path.join(folder, "all");
  cpSync(dir, all, { recursive: true });
  rmSync(find(dir, "~nec", 15n).file);
  t.match(await seguroJson(["verify", "~zod", "--store", `journal:${dir}`]), {
    code: 5,
    json: { error: { code: "store-damaged", message: /nothing is left of the store before that/, hint: /seguro repair/ } },
    stderr: /segment before .* is missing.*~zod log 1: events \d+ to 30.*~nec log 1: events \d+ to 30/s,
  });
  rmSync(path.join(all, "segments"), { recursive: true });
  for (const store of [`journal:${dir}`, `journal:${all}`]) {
    t.match(await seguroJson(["repair", store, "--cut"]), { code: 0, json: { cut: true } });
    t.match(await seguroJson(["repair", store, "--cut"]), { code: 4 });
    t.match(await seguroJson(["list", "--store", store]), { code: 0 });
  }
});

t.test("killed while it cuts: the damage is there still, or the log is cut and says so; it may be called again", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const sound = await makeStore(folder, 20n, 3000);
  flip(sound, "~nec", 15n);
  const started = Date.now();
  const whole = path.join(folder, "timed");
  cpSync(sound, whole, { recursive: true });
  t.match(await seguroJson(["repair", `journal:${whole}`, "--cut"]), { code: 0 });
  const takesMs = Date.now() - started;
  for (let i = 0; i < KILLS; i++) {
    const dir = path.join(folder, `killed${i}`);
    cpSync(sound, dir, { recursive: true });
    const store = `journal:${dir}`;
    const child = spawnSeguro(["repair", store, "--cut"]);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const afterMs = (takesMs * (0.4 + (0.6 * i) / KILLS)) | 0;
    setTimeout(() => child.kill("SIGKILL"), afterMs);
    await ended;
    const again = await seguroJson(["repair", store, "--cut"]);
    t.ok(
      again.code === 0 || (again.code === 4 && (again.json.error as { code: string }).code === "no-damage"),
      `killed after ${afterMs} ms`,
    );
    t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
    t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 5, json: { events: "14" } });
    rmSync(dir, { recursive: true });
  }
});

t.test("usage", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  for (const args of [["lmdb:x"], ["journal:x", "~zod"], ["journal:x", "--accept"], ["journal:x", "~zod", "--accept", "--cut"]]) {
    t.match(await seguroJson(["repair", ...args]), { code: 2, json: { error: { code: "usage" } } });
  }
  t.match(await seguroJson(["repair", `journal:${folder}/none`]), { code: 1, json: { error: { code: "store-missing" } } });
});
