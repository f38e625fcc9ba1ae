// Two processes and one ship: who may write, when it changes hands, and that the one before never writes again.
import t from "tap";
import { BEAT_EVERY_MS, LEASE_MS } from "../../src/log/beat.ts";
import { digestBefore } from "../../src/log/digest.ts";
import { Log } from "../../src/log/log.ts";
import { listMeta, putMeta } from "../../src/log/meta.ts";
import { OpenLogs } from "../../src/log/open-logs.ts";
import { makeShip } from "../../src/ship.ts";
import { StoreError } from "../../src/store/errors.ts";
import type { Commit } from "../../src/store/kv.ts";
import { afterPrefix, keys } from "../../src/store/layout.ts";
import { SCOPE_TOP } from "../../src/wire/constants.ts";
import type { FaultyKv } from "./faulty-kv.ts";
import { Probe, readBack, zod } from "./probe.ts";
import { type Process, settled, sharedKv, startProcess, turnAll } from "./shared.ts";

const nec = makeShip(1n, "real");
const DIES_MS = LEASE_MS + 2 * BEAT_EVERY_MS;

function some(from: bigint, count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.alloc(30, Number((from + BigInt(index)) % 250n)));
}

async function append(probe: Probe, count: number): Promise<void> {
  const from = probe.height + 1n;
  probe.push(from, some(from, count));
  const error = await probe.acknowledged(from + BigInt(count) - 1n);
  if (error !== null) throw error;
}

async function epochRecord(kv: FaultyKv): Promise<Record<string, unknown>> {
  return JSON.parse(String(await kv.get(keys.epoch(zod)))) as Record<string, unknown>;
}

async function beats(kv: FaultyKv): Promise<number> {
  const space = Buffer.from([4]);
  return (await kv.range(space, afterPrefix(space))).count;
}

/** Two processes on two machines; the first writes ten events of ~zod. */
async function two(): Promise<{ kv: FaultyKv; first: Process; second: Process; writer: Probe }> {
  const kv = sharedKv();
  const first = await startProcess(kv, { id: "one/1", host: "machine-one", pid: 11, boot: "boot one" });
  const second = await startProcess(kv, { id: "two/1", host: "machine-two", pid: 22, boot: "boot two" });
  const writer = await Probe.claim(first.logs);
  await append(writer, 10);
  return { kv, first, second, writer };
}

/** Claims while time passes for `processes`. */
async function claimWhile(claimant: Process, processes: readonly Process[], ms: number): Promise<Probe | Error> {
  const claim = Probe.claim(claimant.logs).catch((error: Error) => error);
  await turnAll(processes, ms);
  return claim;
}

function claimed(result: Probe | Error): Probe {
  if (result instanceof Error) throw result;
  return result;
}

t.test("refused while the first lives, by name", async (t) => {
  const { first, second, writer } = await two();
  const refused = await claimWhile(second, [first, second], 3 * BEAT_EVERY_MS);
  t.match(refused, {
    code: "ship-busy",
    message: "~zod is being written by a test of process 11 on machine-one",
    hint: /seguro fence ~zod/,
  });
  await append(writer, 5);
  t.equal(writer.height, 15n, "the first goes on");
  t.equal(await second.logs.writerOf(zod), "a test of process 11 on machine-one");
  t.equal(await first.logs.writerOf(zod), "a test");
});

t.test("a lease after its last beat the first is replaced, and can never commit again", async (t) => {
  const { kv, second, writer } = await two();
  let early: Probe | Error | null = null;
  const claim = Probe.claim(second.logs).catch((error: Error) => error);
  void claim.then((result) => {
    early = result;
  });
  await second.clock.turn(LEASE_MS - 500);
  t.equal(early, null, "not before the lease is over");
  await second.clock.turn(DIES_MS - LEASE_MS);
  const next = claimed(await claim);
  t.equal(next.height, 10n);
  t.equal(await beats(kv), 1, "the beat of the dead is cleared away");
  await append(next, 5);
  writer.push(11n, some(11n, 3));
  t.match(await writer.acknowledged(13n), { code: "fenced", message: "~zod was taken over by a test of process 22 on machine-two" });
  t.equal(writer.height, 10n);
  t.equal((await readBack(kv, second.logs)).size, 15);
  await writer.release();
  t.match(await epochRecord(kv), { epoch: 2, writer: "two/1", session: "a test" }, "releasing what was lost changes nothing");
  await append(next, 1);
});

t.test("who was stopped in the middle of its commits finds out when it wakes", async (t) => {
  const { kv, first, second, writer } = await two();
  first.way.stop();
  writer.push(11n, some(11n, 3));
  await settled();
  const next = claimed(await claimWhile(second, [second], DIES_MS));
  t.equal(next.height, 10n);
  next.push(11n, [Buffer.from("another eleven")]);
  t.equal(await next.acknowledged(11n), null);
  first.way.goOn();
  t.equal((await writer.acknowledged(13n))?.code, "fenced");
  await turnAll([first, second], 3 * BEAT_EVERY_MS);
  const found = await readBack(kv, second.logs);
  t.equal(found.size, 11);
  t.equal(String(found.get(11n)), "another eleven");
  t.equal(await beats(kv), 2, "its process goes on, for its other ships");
});

t.test("whose commit had landed before it was stopped loses nothing", async (t) => {
  const { first, second, writer } = await two();
  writer.push(11n, some(11n, 3));
  await new Promise((resolve) => setImmediate(resolve));
  first.way.stop();
  const next = claimed(await claimWhile(second, [second], DIES_MS));
  t.equal(next.height, 13n, "it was durable, so it is the log's");
  first.way.goOn();
  await writer.acknowledged(13n);
  t.equal(writer.height, 13n);
});

t.test("after a session's end nobody waits", async (t) => {
  const { kv, second, writer } = await two();
  await writer.release();
  t.match(await epochRecord(kv), { epoch: 1, released: true });
  const next = await Probe.claim(second.logs);
  t.equal(next.height, 10n);
  t.equal(await second.logs.writerOf(nec), null);
});

t.test("a request that still reads when its session ends commits nothing, and is not said to be fenced by that very session", async (t) => {
  const { kv, first, writer } = await two();
  first.way.stop();
  const late = putMeta(first.way, writer.writer, SCOPE_TOP, { key: Buffer.from("key"), value: Buffer.from("value") });
  const refused = t.rejects(late, { code: "stopping" });
  const release = writer.release();
  first.way.goOn();
  await Promise.all([refused, release]);
  await settled();
  t.equal(writer.failed, null);
  t.match(await epochRecord(kv), { epoch: 1, released: true });
  t.same(await listMeta(kv, writer.writer.claim.log.name, SCOPE_TOP), []);
});

t.test("after a process's end nobody waits", async (t) => {
  const { kv, first, second } = await two();
  // As if the last session's release had failed: the beat alone says that its process has ended.
  await first.logs.close();
  t.equal(await beats(kv), 0);
  t.notMatch(await epochRecord(kv), { released: true });
  t.equal(await second.logs.writerOf(zod), null);
  t.equal((await Probe.claim(second.logs)).height, 10n);
});

t.test("the same instance takes over its own claims at once after a restart", async (t) => {
  const kv = sharedKv();
  const machine = { host: "machine-one", boot: "boot one", lock: "8:1" };
  const before = await startProcess(kv, { ...machine, id: "one/1" });
  for (const ship of [zod, nec]) await Probe.claim(before.logs, ship);
  const after = await startProcess(kv, { ...machine, id: "one/2" });
  for (const ship of [zod, nec]) t.equal((await Probe.claim(after.logs, ship)).height, 0n);
  t.equal(await beats(kv), 1, "the earlier start's beat is gone");
});

for (const [what, copied] of Object.entries({
  "on another machine": { boot: "boot two", lock: "8:1" },
  "as another file": { boot: "boot one", lock: "8:2" },
  "without a lock": { boot: "boot one", lock: null },
})) {
  t.test(`a copied state ${what} is no restart`, async (t) => {
    const kv = sharedKv();
    const first = await startProcess(kv, { id: "one/1", boot: "boot one", lock: "8:1" });
    const writer = await Probe.claim(first.logs);
    await append(writer, 1);
    const second = await startProcess(kv, { id: "one/2", ...copied });
    t.match(await claimWhile(second, [first, second], 3 * BEAT_EVERY_MS), { code: "ship-busy" });
    await append(writer, 1);
    t.equal(claimed(await claimWhile(second, [second], DIES_MS)).height, 2n, "but it may wait for the lease");
  });
}

t.test("two without a lock are not the same", async (t) => {
  const kv = sharedKv();
  const first = await startProcess(kv, { id: "one/1" });
  await Probe.claim(first.logs);
  const second = await startProcess(kv, { id: "one/2" });
  t.match(await claimWhile(second, [first, second], 3 * BEAT_EVERY_MS), { code: "ship-busy" });
});

t.test("of two successors one wins", async (t) => {
  const { kv, second } = await two();
  const third = await startProcess(kv, { id: "three/1", host: "machine-three" });
  const claims = [second, third].map(({ logs }) => Probe.claim(logs).catch((error: Error) => error));
  await turnAll([second, third], DIES_MS);
  const results = await Promise.all(claims);
  t.equal(results.filter((result) => result instanceof Probe).length, 1);
  t.match(
    results.find((result) => result instanceof Error),
    { code: "ship-busy" },
  );
});

t.test("ships that wait for one writer share the watching", async (t) => {
  const kv = sharedKv();
  const first = await startProcess(kv, { id: "one/1" });
  const second = await startProcess(kv, { id: "two/1" });
  const ships = Array.from({ length: 50 }, (_, index) => makeShip(BigInt(index), "real"));
  for (const ship of ships) await Probe.claim(first.logs, ship);
  let reads = 0;
  kv.onRead = () => {
    reads++;
  };
  const claims = Promise.all(ships.map((ship) => Probe.claim(second.logs, ship)));
  await settled();
  const begun = reads;
  await second.clock.turn(LEASE_MS - 500);
  t.ok(reads - begun <= LEASE_MS / BEAT_EVERY_MS, `${reads - begun} reads`);
  await second.clock.turn(DIES_MS - LEASE_MS);
  t.equal((await claims).length, 50);
});

t.test("a store that was away for longer than a lease proves nothing about a writer", async (t) => {
  const { first, second, writer } = await two();
  const claim = Probe.claim(second.logs).catch((error: Error) => error);
  await turnAll([first, second], 500);
  first.way.stop();
  second.way.stop();
  await turnAll([first, second], 3 * LEASE_MS);
  second.way.goOn();
  // The first is back a little later.
  await second.clock.turn(2 * BEAT_EVERY_MS);
  first.way.goOn();
  await turnAll([first, second], 2 * BEAT_EVERY_MS);
  t.match(await claim, { code: "ship-busy" });
  await append(writer, 1);
});

t.test("a renewal that fails is made again", async (t) => {
  const { kv, first, second, writer } = await two();
  kv.fate = ([member]) =>
    member?.writes[0]?.kind === "put" && member.writes[0].key[0] === 4 ? { error: new Error("no"), applied: false } : "done";
  await first.clock.turn(4 * BEAT_EVERY_MS);
  kv.fate = () => "done";
  await append(writer, 1);
  t.match(await claimWhile(second, [first, second], 3 * BEAT_EVERY_MS), { code: "ship-busy" });
});

t.test("fence ends a living writer of another process, says whom, and frees the ship", async (t) => {
  const { kv, first, second, writer } = await two();
  t.equal(await second.logs.fence(zod, "session 3"), "a test of process 11 on machine-one");
  t.match(await epochRecord(kv), { epoch: 2, writer: "two/1", session: "seguro fence (session 3)", released: true });
  t.equal(await second.logs.fence(zod, "session 3"), null, "nobody is left");
  const next = await Probe.claim(second.logs);
  writer.push(11n, some(11n, 1));
  t.equal((await writer.acknowledged(11n))?.code, "fenced");
  await turnAll([first, second], 500);
  await append(next, 1);
});

t.test("fence ends a session of its own process", async (t) => {
  const { kv, first, writer } = await two();
  const fenced = first.logs.fence(zod, "session 3");
  await settled();
  t.match(writer.failed, { code: "fenced", message: /fenced by session 3/ });
  t.equal(await fenced, "a test");
  await writer.release();
  t.match(await epochRecord(kv), { epoch: 2, released: true });
});

t.test("fence leaves a newcomer alone that waits for the one who is fenced", async (t) => {
  const { second } = await two();
  const claim = Probe.claim(second.logs).catch((error: Error) => error);
  await second.clock.turn(1000);
  t.equal(await second.logs.fence(zod, "session 3"), "a test of process 11 on machine-one");
  await second.clock.turn(DIES_MS);
  t.match(await claim, { code: "ship-busy", message: /at the same moment/ }, "it may try again at once");
  t.equal((await Probe.claim(second.logs)).height, 10n);
});

t.test("a claim that fails after the epoch has risen does not keep others out", async (t) => {
  const { kv, first, second, writer } = await two();
  await writer.release();
  await kv.put(keys.block({ ship: zod, log: 1 }, 50n), Buffer.from("no block"));
  await t.rejects(Probe.claim(first.logs), { code: "store-damaged" });
  t.match(await epochRecord(kv), { epoch: 2, released: true });
  await t.rejects(Probe.claim(second.logs), { code: "store-damaged" }, "and not ship-busy");
});

t.test("a repair of which nobody knows whether it took effect is made again, under an epoch that ends the first try", async (t) => {
  const { kv, second, writer } = await two();
  await writer.release();
  await kv.put(keys.piece({ ship: zod, log: 1 }, 11n, 1n, 0), Buffer.from("left behind"));
  let lost: readonly Commit[] = [];
  kv.fate = (group) => {
    if (lost.length > 0 || group[0]?.writes[0]?.kind !== "delete-range") return "done";
    lost = group;
    return { error: new StoreError("store-failed", "the answer was lost", ""), applied: false };
  };
  const next = await Probe.claim(second.logs);
  t.match(await epochRecord(kv), { epoch: 3 });
  await append(next, 1);
  t.same(await kv.inner.commit(lost), ["check-failed"], "the first try can delete nothing any more");
  t.equal(next.height, 11n);
});

t.test("many answers in a row may be lost, but a repair that always fails ends the claim, and keeps nobody out", async (t) => {
  const { kv, first, second, writer } = await two();
  await writer.release();
  await kv.put(keys.piece({ ship: zod, log: 1 }, 11n, 1n, 0), Buffer.from("left behind"));
  let losses = Number.POSITIVE_INFINITY;
  kv.fate = (group) => {
    if (group[0]?.writes[0]?.kind !== "delete-range" || losses-- <= 0) return "done";
    return { error: new StoreError("store-failed", "the answer was lost", ""), applied: false };
  };
  await t.rejects(Probe.claim(second.logs), { code: "store-failed" });
  t.match(await epochRecord(kv), { released: true });
  losses = 10;
  await append(await Probe.claim(first.logs), 1);
});

t.test("a claim that was replaced before it read the tail says so, instead of finding damage in an old tail", async (t) => {
  const { kv } = await two();
  const open = new OpenLogs(kv, { nowMs: () => 0, after: () => () => undefined });
  const name = { ship: zod, log: 1 };
  const { log } = await open.read(name);
  t.equal(log.height, 10n);
  const key = keys.epoch(zod);
  const owner = { writer: "two/1", session: "a test" };
  const old = { epoch: 7n, owner, creation: [], log: new Log(name, { base: 1n, height: 5n, pair: digestBefore(zod, 1n) }) };
  await t.rejects(open.adopt({ ...old, check: { key, value: Buffer.from("{}") } }), { code: "ship-busy" });
  await t.rejects(open.adopt({ ...old, check: { key, value: await kv.get(key) } }), { code: "store-damaged" });
});

t.test("a newcomer waits only for some time for the session before it", async (t) => {
  const { first, writer } = await two();
  first.way.stop();
  writer.push(11n, some(11n, 1));
  await settled();
  const released = writer.release();
  const refused = Probe.claim(first.logs).catch((error: Error) => error);
  await first.clock.turn(6_000);
  t.match(await refused, { code: "claim-settling", message: /^a test, which wrote ~zod before/ });
  first.way.goOn();
  await released;
  t.equal((await Probe.claim(first.logs)).height, 11n);
});

t.test("embedded stores get no beat and no released records", async (t) => {
  const kv = sharedKv();
  kv.shared = false;
  const { logs } = await startProcess(kv, { id: "one" });
  await (await Probe.claim(logs)).release();
  t.strictSame(await epochRecord(kv), { epoch: 1, writer: "one", session: "a test" });
  t.equal(await beats(kv), 0);
  await logs.close();
});
