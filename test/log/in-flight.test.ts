// Several commits of one log under way: any order of settling, failures, cuts and leftovers; what is acknowledged stays, contiguous, once.
import t from "tap";
import { encodeBlockHeader } from "../../src/log/block.ts";
import { digestBefore } from "../../src/log/digest.ts";
import { findTail } from "../../src/log/tail.ts";
import { verifyLog } from "../../src/log/verify.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { afterPrefix, keys } from "../../src/store/layout.ts";
import type { Fate, FaultyKv } from "./faulty-kv.ts";
import { failure, Gate } from "./gate.ts";
import { Probe, readBack, zod } from "./probe.ts";
import { NETWORK, type Process, settled, sharedKv, startProcess } from "./shared.ts";

const name = { ship: zod, log: 1 };

/** One event a block, each of them as large as a block. */
function push(probe: Probe, from: bigint, count: number): void {
  for (let at = 0; at < count; at++) probe.push(from + BigInt(at), [Buffer.alloc(1 << 20, Number(from % 200n) + at)]);
}

async function started(): Promise<{ kv: FaultyKv; process: Process; probe: Probe }> {
  const kv = sharedKv();
  const process = await startProcess(kv, { id: "one/1" });
  return { kv, process, probe: await Probe.claim(process.logs) };
}

async function blockKeys(kv: FaultyKv): Promise<number> {
  return (await kv.range(keys.blocks(name), afterPrefix(keys.blocks(name)), { limitBytes: 1 << 30 })).count;
}

t.test("the first block of a log goes alone; then as many are under way as the engine wants, and acknowledged in order", async (t) => {
  const { kv, process, probe } = await started();
  const gate = new Gate(kv);
  push(probe, 1n, 10);
  await settled();
  t.strictSame([...gate.waiting.keys()], [1n]);
  gate.end(1n);
  await settled();
  t.equal(probe.height, 1n);
  t.strictSame([...gate.waiting.keys()], [2n, 3n, 4n, 5n]);
  for (const first of [5n, 3n, 4n]) gate.end(first);
  await settled();
  t.equal(probe.height, 1n, "durable, but not acknowledged before what precedes it");
  t.strictSame([...gate.waiting.keys()], [2n], "nor is more sent: recovery looks no further than that");
  gate.end(2n);
  await settled();
  t.equal(probe.height, 5n);
  for (let first = 6n; first <= 10n; first++) {
    gate.end(first);
    await settled();
  }
  t.equal(probe.height, 10n);
  await probe.release();
  const { log, done } = await process.logs.read(zod, 0);
  t.match(await verifyLog(kv, log, () => undefined), { events: 10n, damage: [] });
  done();
});

t.test("when one fails, nothing beyond it is acknowledged, and the session's end waits for all", async (t) => {
  const { kv, process, probe } = await started();
  push(probe, 1n, 1);
  await probe.acknowledged(1n);
  const gate = new Gate(kv);
  push(probe, 2n, 4);
  await settled();
  gate.end(3n, { error: failure(), applied: false });
  await settled();
  t.equal(probe.failed?.code, "store-failed");
  gate.end(2n);
  gate.end(4n);
  let released = false;
  const release = probe.release().then(() => {
    released = true;
  });
  await settled();
  t.notOk(released, "event 5 is still under way");
  t.equal(probe.height, 1n);
  gate.end(5n);
  await release;
  const next = await Probe.claim(process.logs);
  t.equal(next.height, 2n, "what landed in order is the log's");
  t.equal(await blockKeys(kv), 2, "and what lay beyond the gap is cut");
});

t.test("nothing else is sent before the commit that makes a log known has ended", async (t) => {
  const { kv, probe } = await started();
  const order: string[] = [];
  const ends: (() => void)[] = [];
  kv.fate = ([member]): Promise<Fate> => {
    order.push(member?.writes.map((write) => (write.kind === "put" ? write.key.toString("latin1", 22, 23) : "?")).join("") ?? "");
    return new Promise((resolve) => ends.push(() => resolve("done")));
  };
  const aside = probe.writer.commitAside([{ kind: "put", key: keys.vereEpoch(name, 0n), value: [Buffer.from("{}")] }], 2);
  push(probe, 1n, 1);
  const second = probe.writer.commitAside([{ kind: "put", key: keys.vereEpoch(name, 5n), value: [Buffer.from("{}")] }], 2);
  await settled();
  t.strictSame(order, ["le"], "the ship's record, the log's record, the epoch");
  ends.shift()?.();
  await aside;
  await settled();
  t.strictSame(order.slice(1).sort(), ["b", "e"]);
  for (const end of ends) end();
  await second;
  t.equal(await probe.acknowledged(1n), null);
});

t.test("when the first block fails, nothing that waits for it is sent, and nobody waits for ever", async (t) => {
  const { kv, process, probe } = await started();
  const gate = new Gate(kv);
  push(probe, 1n, 2);
  await settled();
  const aside = probe.writer.commitAside([{ kind: "put", key: keys.vereEpoch(name, 0n), value: [Buffer.from("{}")] }], 2);
  await settled();
  const refused = t.rejects(aside, { code: "store-failed" });
  gate.end(1n, { error: failure(), applied: false });
  await refused;
  await probe.release();
  t.strictSame([await blockKeys(kv), await process.logs.list()], [0, []]);
});

t.test("the first block goes alone also where the log is known already", async (t) => {
  const { kv, probe } = await started();
  await probe.writer.commitAside([{ kind: "put", key: keys.vereEpoch(name, 0n), value: [Buffer.from("{}")] }], 2);
  const gate = new Gate(kv);
  push(probe, 1n, 3);
  await settled();
  t.strictSame([...gate.waiting.keys()], [1n]);
  gate.end(1n);
  await settled();
  t.strictSame([...gate.waiting.keys()], [2n, 3n]);
});

t.test("when the commit that makes a log known fails, nothing of it is sent", async (t) => {
  const { kv, process, probe } = await started();
  let sent = 0;
  kv.fate = async () => {
    sent++;
    await settled();
    return { error: failure(), applied: false };
  };
  const aside = probe.writer.commitAside([{ kind: "put", key: keys.vereEpoch(name, 0n), value: [Buffer.from("{}")] }], 2);
  push(probe, 1n, 3);
  const second = probe.writer.commitAside([{ kind: "put", key: keys.vereEpoch(name, 5n), value: [Buffer.from("{}")] }], 2);
  await t.rejects(aside, { code: "store-failed" });
  await t.rejects(second, { code: "store-failed" });
  kv.fate = () => "done";
  await probe.release();
  t.equal(sent, 1);
  t.strictSame(await process.logs.list(), []);
});

t.test("a session's end waits for what it commits beside events", async (t) => {
  const { kv, probe } = await started();
  let end: () => void = () => undefined;
  kv.fate = (): Promise<Fate> => {
    kv.fate = () => "done";
    return new Promise((resolve) => {
      end = () => resolve("done");
    });
  };
  const aside = probe.writer.commitAside([{ kind: "put", key: keys.vereEpoch(name, 0n), value: [Buffer.from("{}")] }], 2);
  await settled();
  let released = false;
  const release = probe.release().then(() => {
    released = true;
  });
  await settled();
  t.notOk(released);
  end();
  await aside;
  await release;
});

t.test("pieces of a huge event go out together, its manifest after all of them", async (t) => {
  const { kv, process, probe } = await started();
  let pieces = 0;
  let most = 0;
  let published = -1;
  kv.fate = async ([member]): Promise<Fate> => {
    const write = member?.writes.at(-1);
    if (write?.kind !== "put") return "done";
    if (write.key.toString("latin1", 22, 23) === "b") published = pieces;
    if (write.key.toString("latin1", 22, 23) !== "p") return "done";
    t.ok(member?.witness?.equals(write.key));
    pieces++;
    most = Math.max(most, pieces);
    await settled();
    pieces--;
    return "done";
  };
  probe.push(1n, [Buffer.alloc(64 << 20, 7)]);
  t.equal(await probe.acknowledged(1n), null);
  t.equal(most, NETWORK.commitsInFlightPerLog);
  t.equal(published, 0, "no piece was under way when it became visible");
  t.ok(probe.writer.hasRoom, "all of its bytes were given back");
  await probe.release();
  t.equal((await readBack(kv, process.logs)).get(1n)?.length, 64 << 20);
});

t.test("a piece that fails ends the unit, and the session's end waits for the others", async (t) => {
  const { kv, process, probe } = await started();
  let under = 0;
  kv.fate = async ([member]): Promise<Fate> => {
    const write = member?.writes.at(-1);
    if (write?.kind !== "put" || write.key.toString("latin1", 22, 23) !== "p") return "done";
    under++;
    const index = write.key.readUInt32BE(write.key.length - 4);
    if (index !== 1) await settled();
    under--;
    return index === 1 ? { error: failure(), applied: false } : "done";
  };
  probe.push(1n, [Buffer.alloc(40 << 20, 7)]);
  t.equal((await probe.acknowledged(1n))?.code, "store-failed");
  await probe.release();
  t.equal(under, 0);
  kv.fate = () => "done";
  const next = await Probe.claim(process.logs);
  t.equal(next.height, 0n);
  t.equal((await kv.range(keys.pieces(name), afterPrefix(keys.pieces(name)))).count, 0, "what was left is cleared");
});

/** A block of `count` events as a writer of `epoch` may have left it. */
async function putBlock(kv: FaultyKv, epoch: bigint, firstId: bigint, count: number, floor: bigint): Promise<void> {
  const payloads = Array.from({ length: count }, () => Buffer.from(`epoch ${epoch}`));
  const records = encodeRecords(firstId, payloads);
  const header = {
    name,
    epoch,
    firstId,
    count: BigInt(count),
    bytes: BigInt(records.length),
    floor,
    pair: digestBefore(zod, 1n),
    manifest: null,
  };
  await kv.put(keys.block(name, firstId), Buffer.concat([encodeBlockHeader(header), records]));
}

t.test("a leftover of an earlier epoch that happens to fit behind newer blocks is none of the log", async (t) => {
  const kv = sharedKv();
  await putBlock(kv, 1n, 1n, 10, 0n);
  await putBlock(kv, 2n, 11n, 5, 10n);
  t.match(await findTail(kv, name), { height: 15n, cutFrom: null });
  await putBlock(kv, 1n, 16n, 5, 10n);
  t.match(await findTail(kv, name), { height: 15n, cutFrom: 16n });
});

t.test("a reader that sees each block at another moment never sees a log that was not", async (t) => {
  const kv = sharedKv();
  await putBlock(kv, 1n, 1n, 10, 0n);
  // Epoch 1 left 16 to 20 behind a gap. While a reader walks down from there, epoch 2 cuts it and writes 11 to 15.
  await putBlock(kv, 1n, 16n, 5, 10n);
  let reads = 0;
  kv.onRead = () => {
    reads++;
    if (reads === 3) {
      void kv.delete(keys.block(name, 16n));
      void putBlock(kv, 2n, 11n, 5, 10n);
    }
  };
  t.match(await findTail(kv, name), { height: 15n });
});
