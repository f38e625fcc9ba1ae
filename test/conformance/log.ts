// What a log keeps on every engine, beyond one session: that its beginning and its end are there, and how far its digest is written down.
import type { Test } from "tap";
import type { Logs } from "../../src/log/logs.ts";
import { verifyLog } from "../../src/log/verify.ts";
import type { Kv } from "../../src/store/kv.ts";
import { afterPrefix, keys } from "../../src/store/layout.ts";
import { identity, openLogs, Probe, readBack, zod } from "../log/probe.ts";
import type { MakeEngine } from "./kv.ts";

const name = { ship: zod, log: 1 };

let starts = 0;

/** A process with an id of its own, like every start of a sidecar. */
function started(kv: Kv): Promise<Logs> {
  return openLogs(kv, { writer: { ...identity, id: `test/${++starts}` } });
}

function events(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.alloc(100, index));
}

/** One session that appends blocks of ten events, each acknowledged before the next. */
async function session(kv: Kv, blocks: number, end: "released" | "killed", from = 1n): Promise<void> {
  const logs = await started(kv);
  const probe = await Probe.claim(logs);
  for (let block = 0; block < blocks; block++) {
    const firstId = probe.height === 0n ? from : probe.height + 1n;
    probe.push(firstId, events(10));
    await probe.acknowledged(firstId + 9n);
  }
  if (end === "released") await probe.release();
  await logs.close();
}

async function blockCount(kv: Kv): Promise<number> {
  return (await kv.range(keys.blocks(name), afterPrefix(keys.blocks(name)), { limitBytes: 1 << 30 })).count;
}

async function deleteBlock(kv: Kv, firstId: bigint): Promise<void> {
  await kv.commit([{ checks: [], writes: [{ kind: "delete", key: keys.block(name, firstId) }] }]);
}

/** What a log of which something acknowledged is missing looks like: to everybody, and nothing of it is changed. */
async function looksDamaged(t: Test, kv: Kv, id: bigint, text: RegExp): Promise<void> {
  const before = await blockCount(kv);
  const logs = await started(kv);
  const [summary] = await logs.list();
  t.match(summary?.logs, [{ state: "damaged", base: 0n, height: 0n }]);
  await t.rejects(logs.read(zod, 0), { code: "store-damaged", message: text });
  await t.rejects(Probe.claim(logs), { code: "store-damaged", message: text });
  const { log, done } = await logs.readToVerify(zod, 0);
  t.match((await verifyLog(kv, log, () => undefined)).damage, [{ id, code: "store-damaged" }]);
  done();
  t.equal(await blockCount(kv), before, "nothing was cut");
  await logs.close();
}

async function isWhole(t: Test, kv: Kv, base: bigint, height: bigint): Promise<void> {
  const logs = await started(kv);
  const { log, done } = await logs.read(zod, 0);
  t.match(log, { base, height });
  t.strictSame((await verifyLog(kv, log, () => undefined)).damage, []);
  t.equal((await readBack(kv, logs)).size, Number(height - base) + 1);
  done();
  await logs.close();
}

/** Every promise of a log's beginning, end and digest, on engines made by `makeEngine`. */
export function logConformance(t: Test, engine: string, makeEngine: MakeEngine): void {
  const on = (title: string, body: (t: Test, kv: Kv) => Promise<void>) =>
    t.test(`${engine}: ${title}`, async (t) => {
      const { kv, done } = await makeEngine();
      t.teardown(done);
      await body(t, kv);
    });

  for (const end of ["released", "killed"] as const) {
    on(`a log without its first block is damaged, whether its session was ${end}`, async (t, kv) => {
      await session(kv, 5, end);
      await isWhole(t, kv, 1n, 50n);
      await deleteBlock(kv, 1n);
      await looksDamaged(t, kv, 10n, /log 1 of ~zod is damaged: .* before 11 /);
      await deleteBlock(kv, 11n);
      await looksDamaged(t, kv, 20n, /log 1 of ~zod is damaged: .* before 21 /);
    });
  }

  on("a log may begin at any event, and then lose none of its beginning either", async (t, kv) => {
    await session(kv, 3, "released", 5001n);
    await isWhole(t, kv, 5001n, 5030n);
    await deleteBlock(kv, 5001n);
    await looksDamaged(t, kv, 5010n, / before 5011 /);
  });

  on("a log that lost its last blocks, or all of them, is damaged once a session has ended", async (t, kv) => {
    await session(kv, 3, "released");
    await deleteBlock(kv, 21n);
    await looksDamaged(t, kv, 21n, /log 1 of ~zod is damaged: .* between 20 and .* 30 /);
    await deleteBlock(kv, 11n);
    await deleteBlock(kv, 1n);
    await looksDamaged(t, kv, 30n, /log 1 of ~zod is damaged: .* 30 /);
  });

  on("the digest is written down when a session ends, and is at most a session's last block behind when it is killed", async (t, kv) => {
    const ends = ["released", "killed", "killed", "released", "killed", "killed", "killed", "released", "released"] as const;
    for (const [index, end] of ends.entries()) {
      await session(kv, 1, end);
      const height = BigInt(10 * (index + 1));
      const logs = await started(kv);
      const { log, done } = await logs.read(zod, 0);
      t.equal(log.height, height);
      t.ok(log.pair.id === height || (end === "killed" && log.pair.id === height - 10n), `${end} at ${height}: digest at ${log.pair.id}`);
      done();
      await logs.close();
    }
    await isWhole(t, kv, 1n, 90n);
  });
}
