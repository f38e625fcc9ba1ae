// `seguro migrate` as people run it: a pier's ship to another store and back, what the old store says from then on, kill -9 in the middle, a full disk.
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import t, { type Test } from "tap";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { makeShip, shipNumber } from "../../src/ship.ts";
import { encodeRecord, keys } from "../../src/store/layout.ts";
import { openLmdb } from "../../src/store/lmdb.ts";
import { tempFolder } from "../client/fake-server.ts";
import { buildFlushLayer } from "../crash/flush-layer.ts";
import { pierSmallManifest, unpackPierSmall } from "../fixtures.ts";
import { payloads, readLines } from "../pier/helpers.ts";
import { seguro, seguroJson, serve, spawnSeguro } from "./command.ts";

const SHIP = "~sampel-palnet";

function place(t: Test): { folder: string; a: string; b: string } {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  return { folder, a: `lmdb:${path.join(folder, "a")}`, b: `lmdb:${path.join(folder, "b")}` };
}

/** Runs `work` beside a sidecar on a store. */
async function beside<Result>(t: Test, folder: string, store: string, work: (socket: string) => Promise<Result>): Promise<Result> {
  const serving = await serve(["--socket", path.join(folder, "run", "s"), "--store", store, "--log-level", "silent"]);
  t.teardown(() => serving.process.kill("SIGKILL"));
  try {
    return await work(serving.socket);
  } finally {
    await serving.end("SIGTERM");
  }
}

t.test("a ship there and back", async (t) => {
  const { folder, a, b } = place(t);
  const pier = unpackPierSmall(folder);
  const imported = await beside(t, folder, a, async (socket) => {
    const first = await seguroJson(["import", pier, "--socket", socket]);
    t.match(await seguro(["migrate", "--from", a, "--to", b]), { code: 4, stderr: /process \d+ on .*\nhint: stop that sidecar first/ });
    t.notOk(existsSync(path.join(folder, "b")), "nothing was made");
    return first;
  });
  const { digest } = imported.json;
  const moved = await seguroJson(["migrate", "--from", a, "--to", b]);
  const log = { log: 1, first: "1", height: "2000", copied: "2000", digest };
  t.match(moved, { code: 0, json: { from: a, to: b, ships: [{ ship: SHIP, kind: "real", outcome: "moved", logs: [log] }] } });

  await beside(t, folder, a, async (socket) => {
    t.match(await seguroJson(["import", pier, "--socket", socket]), { code: 4, json: { error: { code: "ship-moved", hint: /migrate/ } } });
    const reader = await Client.connect(socket, SHIP);
    t.equal((await reader.open({ role: "read" })).height, 2000n, "it can be read there");
    await reader.close();
    const status = (await seguroJson(["status", SHIP, "--socket", socket])).json;
    t.match(status, { ships: [{ currentLog: 1, moved: { state: "moved-to", store: b }, writer: null }] });
    t.match((await seguro(["list", "--socket", socket])).stdout, `moved to ${b}`);
    t.match((await seguro(["status", "--socket", socket])).stdout, `moved to ${b}`);
    t.match((await seguroJson(["verify", SHIP, "--socket", socket])).json, { events: "2000", digest, damage: [] });
    const out = path.join(folder, "out");
    t.match(await seguroJson(["restore", SHIP, out, "--socket", socket]), { code: 4, json: { error: { code: "ship-moved" } } });
    const copy = await seguroJson(["restore", SHIP, out, "--copy", "--socket", socket]);
    t.match(copy, { code: 0, json: { neverBoot: true, digest }, stderr: /was moved to lmdb:/ });
    t.match(await seguroJson(["retire", SHIP, "--socket", socket]), { code: 0 });
    t.match(await seguroJson(["forget", SHIP, "--log", "1", "--yes", "--socket", socket]), { code: 0, json: { events: "2000" } });
    t.match(await seguroJson(["import", pier, "--socket", socket]), { code: 4, json: { error: { code: "ship-moved" } } }, "still");
  });

  t.match((await seguro(["migrate", "--from", a, "--to", b, SHIP])).stdout, /is in lmdb:.* already/);
  const back = await seguro(["migrate", "--from", b, "--to", a, "sampel-palnet"]);
  t.match(back, { code: 0, stdout: new RegExp(`events 1 to 2,000, 2,000 copied now; digest ${String(digest)}`) });
  const restored = await seguroJson(["restore", SHIP, path.join(folder, "home"), "--store", a]);
  t.match(restored, { code: 0, json: { neverBoot: false, digest } });
  t.same(await readLines(path.join(folder, "home/.urb/log/0i0")), pierSmallManifest());
});

t.test("usage, and what cannot be", async (t) => {
  const { folder, a, b } = place(t);
  const wrong = [
    ["--from", a],
    ["--from", a, "--to", a],
    ["--from", a, "--to", `${a}/.`],
    ["--from", "memory:", "--to", b],
    ["--from", a, "--to", b, "~notaship"],
    ["--to", b],
  ];
  for (const args of wrong) {
    t.match(await seguroJson(["migrate", ...args]), { code: 2, json: { error: { code: "usage" } } }, args.join(" "));
  }
  t.match(await seguroJson(["migrate", "--from", a, "--to", b]), { code: 1, json: { error: { code: "store-missing" } } });
  await beside(t, folder, a, (socket) => fill(socket, 20, 100));
  t.match(await seguroJson(["migrate", "--from", a, "--to", b, "~bus"]), { code: 4, json: { error: { code: "no-such-ship" } } });
  await beside(t, folder, b, (socket) => fill(socket, 5, 100));
  t.match(await seguroJson(["migrate", "--from", a, "--to", b]), { code: 4, json: { error: { code: "migrate-exists" } } });
});

/** Events of ~nec, some of a few megabytes. */
async function fill(socket: string, events: number, lengthBytes: number): Promise<void> {
  const client = await Client.connect(socket, "~nec");
  await client.open({ role: "write" });
  for (let id = 1; id <= events; id += 20) {
    await client.append(encodeRecords(BigInt(id), payloads(Math.min(20, events - id + 1), lengthBytes)));
  }
  await client.acknowledged(BigInt(events));
  await client.close();
}

async function verified(store: string): Promise<unknown> {
  return (await seguroJson(["verify", "~nec", "--store", store])).json;
}

const EVENTS = 600;
const EVENT_BYTES = 60_000;

function sizeOf(store: string): number {
  return statSync(path.join(store.slice("lmdb:".length), "data.mdb"), { throwIfNoEntry: false })?.size ?? 0;
}

t.test("kill -9 in the middle, again and again", async (t) => {
  const { folder, a, b } = place(t);
  await beside(t, folder, a, (socket) => fill(socket, EVENTS, EVENT_BYTES));
  const before = await verified(a);
  const whole = sizeOf(a);
  let killed = 0;
  // By how much has arrived; the last ones while it is being read back, or at the very end.
  for (const part of [0.02, 0.3, 0.6, 0.9, 0.99]) {
    const child = spawnSeguro(["migrate", "--from", a, "--to", b]);
    const ended = new Promise<boolean>((resolve) => child.once("close", (_code, signal) => resolve(signal === "SIGKILL")));
    while (child.exitCode === null && sizeOf(b) < part * whole) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    child.kill("SIGKILL");
    killed += (await ended) ? 1 : 0;
    t.same(await verified(a), before, "the source is as it was");
    const writer = await seguroJson(["retire", "~nec", "--store", a]);
    t.match(writer, { code: 4, json: { error: { code: "ship-moved" } } }, `killed when ${part} of it had arrived`);
  }
  t.ok(killed >= 4, `${killed} kills`);
  const last = await seguroJson(["migrate", "--from", a, "--to", b]);
  t.match(last, { code: 0, json: { ships: [{ ship: "~nec", logs: [{ height: String(EVENTS) }] }] } });
  const copied = (last.json.ships as [{ logs: [{ copied: string }] }])[0].logs[0].copied;
  t.ok(Number(copied) < EVENTS / 2, `${copied} events were left to copy`);
  t.same(await verified(b), before, "all of it is there");
});

t.test("given up after a signal", async (t) => {
  const { folder, a, b } = place(t);
  await beside(t, folder, a, (socket) => fill(socket, EVENTS, EVENT_BYTES));
  const child = spawnSeguro(["migrate", "--from", a, "--to", b]);
  const texts = { stderr: "" };
  child.stderr?.on("data", (chunk: Buffer) => {
    texts.stderr += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  while (child.exitCode === null && sizeOf(b) < 2_000_000) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  child.kill("SIGINT");
  t.equal(await ended, 130);
  t.match(texts.stderr, /has not arrived, and no session can write it meanwhile/);
  const list = await seguro(["list", "--store", a]);
  t.match(list.stdout, `being moved to ${b}`);
  t.match(await seguroJson(["migrate", "--from", a, "--cancel"]), { code: 0, json: { ships: [{ ship: "~nec", outcome: "cancelled" }] } });
  await beside(t, folder, a, async (socket) => {
    const client = await Client.connect(socket, "~nec");
    t.equal((await client.open({ role: "write" })).height, BigInt(EVENTS), "sessions write it again");
    await client.append(encodeRecords(BigInt(EVENTS) + 1n, payloads(1, 10)));
    await client.acknowledged(BigInt(EVENTS) + 1n);
    await client.close();
  });
  t.match(await seguroJson(["migrate", "--from", a, "--to", b, "--copy"]), { code: 0, json: { ships: [{ outcome: "copied" }] } });
  t.same(await verified(b), await verified(a));
});

t.test("a full disk on the other side", async (t) => {
  const { folder, a } = place(t);
  const layer = buildFlushLayer(t.testdir());
  if (typeof layer === "string") {
    t.comment(`no full disk: ${layer}`);
    return;
  }
  const disk = path.join(folder, "disk");
  mkdirSync(disk);
  const b = `lmdb:${path.join(disk, "b")}`;
  await beside(t, folder, a, (socket) => fill(socket, 200, EVENT_BYTES));
  const before = await verified(a);
  const run = layer.run(disk, path.join(folder, "control"), { room: 4_000_000 });
  const full = await seguroJson(["migrate", "--from", a, "--to", b], { env: run.env });
  t.match(full, { code: 1, json: { error: { code: "store-full" } }, stderr: /run the same command again to go on, or with --cancel/ });
  run.close();
  const rest = await seguroJson(["migrate", "--from", a, "--to", b]);
  t.match(rest, { code: 0, json: { ships: [{ outcome: "moved" }] } });
  t.same(await verified(b), before, "with room it goes on");
});

t.test("the source is lost", async (t) => {
  const { folder, a, b } = place(t);
  await beside(t, folder, a, (socket) => fill(socket, 20, 100));
  const before = await verified(a);
  const ended = ["migrate", "--from", a, "--to", b];
  t.match(await seguroJson([...ended, "--accept"]), { code: 2, json: { error: { code: "usage" } } }, "only by name");
  t.match(await seguroJson([...ended, "~nec"]), { code: 0 });
  const refused = { code: 4, json: { error: { code: "migrate-refused" } } };
  t.match(
    await seguroJson([...ended, "~nec", "--accept"]),
    { code: 4, json: { error: { code: "migrate-refused", message: /is not lost/ } } },
    "it is there",
  );
  rmSync(path.join(folder, "a"), { recursive: true });
  t.match(await seguroJson([...ended, "~nec", "--accept"]), refused, "it has arrived");
  // As if the last commit had not been made.
  const kv = await openLmdb(path.join(folder, "b"), { create: false, startedAt: "" });
  const ship = keys.ship(makeShip(shipNumber("~nec") ?? 0n, "real"));
  const record = encodeRecord({ currentLog: 1, nextLog: 2, movingFrom: a, proven: true });
  await kv.commit([{ checks: [], writes: [{ kind: "put", key: ship, value: [record] }] }]);
  await kv.close();
  t.match(await seguroJson([...ended, "~nec"]), { code: 1, json: { error: { code: "store-missing" } } });
  const other = ["migrate", "--from", `${a}b`, "--to", b, "~nec", "--accept"];
  const said = { code: "migrate-refused", message: `being moved here from ${a}, all of it proven` };
  t.match(await seguroJson(other), { code: 4, json: { error: said } }, "another one is not meant, and it is said which is");
  // However its URL is written, it is the store that the record names.
  const written = `lmdb:${path.relative(process.cwd(), folder)}/b/..//a/`;
  const accepted = await seguro(["migrate", "--from", written, "--to", `${b}/`, "~nec", "--accept"]);
  t.match(accepted, { code: 0, stdout: /~nec goes on in lmdb:.*\n {2}log 1: events 1 to 20\n/ });
  t.same(await verified(b), before);
  await beside(t, folder, b, async (socket) => {
    const client = await Client.connect(socket, "~nec");
    t.equal((await client.open({ role: "write" })).height, 20n);
    await client.close();
  });
});
