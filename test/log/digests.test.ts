// How a log's beginning proves itself, and how its digest is kept near its end: by blocks, by sessions that end, after those that do not.
import t from "tap";
import { decodeBlockHeader, encodeBlockHeader } from "../../src/log/block.ts";
import { digestBefore } from "../../src/log/digest.ts";
import { digestWrite } from "../../src/log/log-records.ts";
import type { Logs } from "../../src/log/logs.ts";
import { verifyLog } from "../../src/log/verify.ts";
import { encodeRecords } from "../../src/native/records.ts";
import type { RangeOptions, Rows } from "../../src/store/kv.ts";
import { encodeRecord, keys } from "../../src/store/layout.ts";
import { FaultyKv } from "./faulty-kv.ts";
import { openLogs, Probe, zod } from "./probe.ts";

const name = { ship: zod, log: 1 };

function some(count: number, lengthBytes = 30): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.alloc(lengthBytes, index + 1));
}

/** Appends as one run, and waits until it is acknowledged; the session goes on. */
async function begin(logs: Logs, from: bigint, payloads: readonly Buffer[]): Promise<Probe> {
  const probe = await Probe.claim(logs);
  probe.push(from, payloads);
  await probe.acknowledged(from + BigInt(payloads.length) - 1n);
  return probe;
}

async function headerAt(kv: FaultyKv, firstId: bigint): Promise<ReturnType<typeof decodeBlockHeader>> {
  return decodeBlockHeader((await kv.get(keys.block(name, firstId))) ?? Buffer.alloc(0));
}

async function damageOf(kv: FaultyKv): Promise<readonly object[]> {
  const { log, done } = await (await openLogs(kv)).readToVerify(zod, 0);
  const { damage } = await verifyLog(kv, log, () => undefined);
  done();
  return damage;
}

/** Blocks of ten events as earlier versions may have left them: one a session, none of which knew a newer digest than the first, and no record. */
async function oldStore(blocks: number): Promise<FaultyKv> {
  const kv = new FaultyKv();
  await (await begin(await openLogs(kv), 1n, some(10))).release();
  for (let block = 1; block < blocks; block++) {
    const firstId = BigInt(block * 10 + 1);
    const records = encodeRecords(firstId, some(10));
    const header = { name, epoch: BigInt(block + 1), firstId, count: 10n, bytes: BigInt(records.length), floor: firstId - 1n };
    const bytes = encodeBlockHeader({ ...header, pair: digestBefore(zod, 1n), manifest: null });
    await kv.put(keys.block(name, firstId), Buffer.concat([bytes, records]));
  }
  await kv.delete(keys.digest(name));
  await kv.put(keys.epoch(zod), encodeRecord({ epoch: blocks, writer: "an old one", session: "a session" }));
  return kv;
}

t.test("a log that began with several blocks in one commit, when nothing was acknowledged, cannot lose the first either", async (t) => {
  const kv = new FaultyKv();
  await (await begin(await openLogs(kv), 1n, some(100, 100_000))).release();
  const { count } = await headerAt(kv, 1n);
  t.equal((await headerAt(kv, count + 1n)).floor, 0n);
  t.strictSame(await damageOf(kv), []);
  await kv.delete(keys.block(name, 1n));
  await t.rejects(Probe.claim(await openLogs(kv)), { code: "store-damaged" });
  t.match(await damageOf(kv), [{ id: count, code: "store-damaged" }]);
});

t.test("a log that began above event 1 with a staged event is whole, and without it damaged", async (t) => {
  const kv = new FaultyKv();
  const probe = await begin(await openLogs(kv), 5001n, some(1, 6 << 20));
  probe.push(5002n, some(3));
  await probe.acknowledged(5004n);
  await probe.release();
  t.strictSame(await damageOf(kv), []);
  await kv.delete(keys.block(name, 5001n));
  await t.rejects(Probe.claim(await openLogs(kv)), { code: "store-damaged", message: / before 5002 / });
});

t.test("a store of an earlier version is whole; its next writer brings the digest to the end before it adds anything", async (t) => {
  const kv = await oldStore(8);
  t.strictSame(await damageOf(kv), []);
  const logs = await openLogs(kv);
  const probe = await begin(logs, 81n, some(10));
  t.match((await headerAt(kv, 81n)).pair, { id: 80n });
  await probe.release();
  t.match((await logs.summary(zod)).logs, [{ height: 90n, pair: { id: 90n } }]);
  t.strictSame(await damageOf(kv), []);
});

t.test("what is missing where the digest is brought to the end is found before anything is acknowledged", async (t) => {
  const kv = await oldStore(8);
  await kv.delete(keys.block(name, 31n));
  const probe = await Probe.claim(await openLogs(kv));
  probe.push(81n, some(10));
  t.equal((await probe.acknowledged(90n))?.code, "store-damaged");
  await probe.release();
  t.equal(await kv.get(keys.block(name, 81n)), null);
  t.match(await damageOf(kv), [{ id: 31n }]);
});

t.test("sessions of one block, ended or killed, read back no more than the one before had in flight", async (t) => {
  class Counting extends FaultyKv {
    readBytes = 0;
    override async range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows> {
      const rows = await super.range(from, to, options);
      this.readBytes += rows.bytes.length;
      return rows;
    }
  }
  for (const end of ["ended", "killed"] as const) {
    const kv = new Counting();
    const blockBytes = 10 * 20_000;
    for (let session = 0; session < 20; session++) {
      kv.readBytes = 0;
      const from = BigInt(session * 10 + 1);
      const probe = await begin(await openLogs(kv), from, some(10, 20_000));
      if (end === "ended") await probe.release();
      // The first block, the last one as the tail, and in its place as the one to be read back.
      if (kv.readBytes > 5 * blockBytes) t.fail(`${end}, session ${session}: ${kv.readBytes} bytes read`);
      if (session > 0) t.equal((await headerAt(kv, from)).pair.id, from - 1n);
    }
    t.strictSame(await damageOf(kv), []);
  }
});

t.test("after a killed session a staged event, too, says the digest before it", async (t) => {
  const kv = new FaultyKv();
  await begin(await openLogs(kv), 1n, some(10, 1000));
  t.equal((await headerAt(kv, 1n)).pair.id, 0n);
  const probe = await begin(await openLogs(kv), 11n, some(1, 6 << 20));
  t.equal((await headerAt(kv, 11n)).pair.id, 10n);
  await probe.release();
  t.match((await (await openLogs(kv)).summary(zod)).logs, [{ height: 11n, pair: { id: 11n } }]);
});

t.test("a session that lost its claim, or its store, writes no digest down; nor does one that wrote nothing", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await begin(logs, 1n, some(10));
  await kv.put(keys.epoch(zod), encodeRecord({ epoch: 99, writer: "another", session: "elsewhere" }));
  await probe.release();
  t.equal(await kv.get(keys.digest(name)), null);
  await (await Probe.claim(logs)).release();
  t.equal(await kv.get(keys.digest(name)), null);
  const next = await begin(logs, 11n, some(10));
  kv.fate = () => ({ error: new Error("the disk is gone"), applied: false });
  await next.release();
  t.equal(await kv.get(keys.digest(name)), null, "and its end is an end all the same");
});

t.test("a digest record with any bit changed is damage, or says what it said", async (t) => {
  const kv = new FaultyKv();
  await (await begin(await openLogs(kv), 1n, some(10))).release();
  const whole = (await kv.get(keys.digest(name))) ?? Buffer.alloc(0);
  const [good] = (await (await openLogs(kv)).summary(zod)).logs;
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const record = Buffer.from(whole);
    record.writeUInt8(record.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    await kv.put(keys.digest(name), record);
    const [log] = (await (await openLogs(kv)).summary(zod)).logs;
    const same = log?.pair?.id === good?.pair?.id && log?.pair?.digest.equals(good?.pair?.digest ?? Buffer.alloc(0)) === true;
    if (log?.state !== "damaged" && !same) t.fail(`bit ${bit}: ${record}`);
  }
  await kv.put(keys.digest(name), Buffer.from("{}"));
  t.match(await damageOf(kv), [{ code: "store-damaged" }], "and the events are still read");
});

t.test("verification compares the digest record with the events, wherever it lies among them", async (t) => {
  for (const id of [5n, 10n, 14n, 20n]) {
    const kv = new FaultyKv();
    const logs = await openLogs(kv);
    const probe = await begin(logs, 1n, some(10));
    probe.push(11n, some(10));
    await probe.acknowledged(20n);
    await probe.release();
    const { value } = digestWrite(name, { id, digest: Buffer.alloc(32, 7) });
    await kv.put(keys.digest(name), Buffer.concat(value));
    t.match(await damageOf(kv), [{ id, code: "digest-mismatch" }]);
  }
});

t.test("a log that is half forgotten has lost its beginning: it is listed as such, and forgotten when that is said again", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await begin(logs, 1n, some(10));
  probe.push(11n, some(10));
  await probe.acknowledged(20n);
  await probe.release();
  await logs.retire(zod);
  await kv.put(keys.logRecord(name), encodeRecord({ state: "forgetting" }));
  await kv.delete(keys.block(name, 1n));
  t.match((await logs.list())[0]?.logs, [{ state: "forgetting", height: 0n }]);
  await t.rejects(logs.read(zod, 1), { code: "no-such-log" });
  await logs.forget(zod, 1);
  t.strictSame((await logs.list())[0]?.logs, []);
  t.equal(await kv.get(keys.digest(name)), null);
});
