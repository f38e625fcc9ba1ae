// A store that errs: commits whose outcome is unknown, checks that fail, delays, blocks that are damaged, missing or left over.
import t from "tap";
import { encodeBlockHeader } from "../../src/log/block.ts";
import { digestBefore } from "../../src/log/digest.ts";
import type { Logs } from "../../src/log/logs.ts";
import { verifyLog } from "../../src/log/verify.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { StoreError } from "../../src/store/errors.ts";
import { afterPrefix, encodeRecord, keys } from "../../src/store/layout.ts";
import { type Fate, FaultyKv } from "./faulty-kv.ts";
import { openLogs, Probe, readBack, zod } from "./probe.ts";

const name = { ship: zod, log: 1 };

function some(from: bigint, count: number, lengthBytes = 30): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.alloc(lengthBytes, Number((from + BigInt(index)) % 250n)));
}

function failure(code: "store-full" | "store-failed" = "store-failed"): StoreError {
  return new StoreError(code, "the test says so", "none");
}

/** Appends in blocks of `size`: each is acknowledged before the next is sent. */
async function fill(logs: Logs, blocks: number, size: number): Promise<void> {
  const probe = await Probe.claim(logs);
  for (let block = 0; block < blocks; block++) {
    const from = BigInt(block * size + 1);
    probe.push(from, some(from, size));
    await probe.acknowledged(from + BigInt(size) - 1n);
  }
  await probe.release();
}

/** A block of ten events as a writer that died may have left it. */
async function putBlock(kv: FaultyKv, firstId: bigint, floor: bigint): Promise<void> {
  const records = encodeRecords(firstId, some(firstId, 10));
  const header = {
    name,
    epoch: 1n,
    firstId,
    count: 10n,
    bytes: BigInt(records.length),
    floor,
    pair: digestBefore(zod, 1n),
    manifest: null,
  };
  await kv.put(keys.block(name, firstId), Buffer.concat([encodeBlockHeader(header), records]));
}

async function blockKeys(kv: FaultyKv): Promise<number> {
  return (await kv.range(keys.blocks(name), afterPrefix(keys.blocks(name)), { limitBytes: 1 << 30 })).count;
}

for (const applied of [false, true]) {
  t.test(`a commit that fails and was ${applied ? "" : "not "}applied is never acknowledged, and the next claim knows`, async (t) => {
    const kv = new FaultyKv();
    const logs = await openLogs(kv);
    const probe = await Probe.claim(logs);
    probe.push(1n, some(1n, 10));
    await probe.acknowledged(10n);
    kv.fate = () => ({ error: failure(), applied });
    probe.push(11n, some(11n, 10));
    t.equal((await probe.acknowledged(20n))?.code, "store-failed");
    t.equal(probe.height, 10n);
    kv.fate = () => "done";
    probe.push(21n, some(21n, 1));
    await probe.release();
    const next = await Probe.claim(logs);
    t.equal(next.height, applied ? 20n : 10n);
    next.push(next.height + 1n, some(next.height + 1n, 5));
    await next.acknowledged(next.height + 5n);
    t.equal((await readBack(kv, logs)).size, Number(next.height));
    await next.release();
    const { log, done } = await logs.read(zod, 0);
    t.strictSame((await verifyLog(kv, log, () => undefined)).damage, []);
    done();
  });
}

t.test("whose check fails is fenced and acknowledges nothing more", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  await fill(logs, 1, 10);
  const probe = await Probe.claim(logs);
  await kv.put(keys.epoch(zod), encodeRecord({ epoch: 99, writer: "another", session: "elsewhere" }));
  probe.push(11n, some(11n, 10));
  t.equal((await probe.acknowledged(20n))?.code, "fenced");
  t.equal((await readBack(kv, logs)).size, 10, "nothing of it is stored");
  await probe.release();
  const large = await Probe.claim(logs);
  await kv.put(keys.epoch(zod), encodeRecord({ epoch: 199, writer: "another", session: "elsewhere" }));
  large.push(11n, some(11n, 1, 10 << 20));
  t.equal((await large.acknowledged(11n))?.code, "fenced", "a staged event as well");
  await large.release();
});

t.test("while a commit hangs nothing is acknowledged, and a newcomer waits for it", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  probe.push(1n, some(1n, 10));
  await probe.acknowledged(10n);
  let go: () => void = () => undefined;
  const hanging = new Promise<void>((begun) => {
    kv.fate = async (): Promise<Fate> => {
      begun();
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      kv.fate = () => "done";
      return "done";
    };
  });
  probe.push(11n, some(11n, 10));
  await hanging;
  t.equal(probe.height, 10n);
  const released = probe.release();
  let told = false;
  const next = Probe.claim(logs).then((claimed) => {
    told = true;
    return claimed;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.notOk(told, "the height is not known before the hanging commit is resolved");
  go();
  await released;
  t.equal((await next).height, 20n);
  await (await next).release();
});

t.test("a log that begins with several blocks in one commit knows its digests", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  const groups: number[] = [];
  kv.fate = (group) => {
    groups.push(group.length);
    return "done";
  };
  probe.push(1n, some(1n, 100, 100_000));
  await probe.acknowledged(100n);
  t.ok((groups[0] ?? 0) > 1, `${groups[0]} blocks in the first commit`);
  await probe.release();
  const { log, done } = await (await openLogs(kv)).read(zod, 0);
  t.strictSame((await verifyLog(kv, log, () => undefined)).damage, []);
  done();
});

t.test("a log may begin above event 1 with an event larger than a block", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  probe.push(5001n, some(5001n, 1, 6 << 20));
  probe.push(5002n, some(5002n, 3));
  t.equal(await probe.acknowledged(5004n), null, probe.failed?.message ?? "");
  await probe.release();
  const { log, done } = await logs.read(zod, 0);
  t.match(await verifyLog(kv, log, () => undefined), { events: 4n, damage: [] });
  done();
});

t.test("staged pieces stay below the store's greatest value", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  const piece = 4 << 20;
  probe.pushAtomic(1n, [Buffer.alloc(piece - 32, 1), Buffer.alloc(900_000, 2), Buffer.alloc(piece - 24, 3), Buffer.alloc(10, 4)]);
  t.equal(await probe.acknowledged(4n), null, probe.failed?.message ?? "");
  t.equal((await readBack(kv, logs)).get(3n)?.length, piece - 24);
  await probe.release();
});

t.test("what a huge first event left behind is cleared by the next claim", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  kv.fate = () => (kv.commits > 4 ? { error: failure("store-full"), applied: false } : "done");
  probe.push(1n, some(1n, 1, 40 << 20));
  t.equal((await probe.acknowledged(1n))?.code, "store-full");
  await probe.release();
  kv.fate = () => "done";
  const left = async (): Promise<number> =>
    (await kv.range(keys.pieces(name), afterPrefix(keys.pieces(name)), { limitBytes: 1 << 30 })).count;
  t.ok((await left()) > 0);
  t.strictSame(await logs.list(), [], "a ship without an event leaves no trace in the list");
  await (await Probe.claim(logs)).release();
  t.equal(await left(), 0);
});

t.test("ids below the log's first are a conflict, not damage", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  probe.push(100n, some(100n, 5));
  await probe.acknowledged(104n);
  probe.push(50n, some(50n, 1));
  await probe.acknowledged(105n);
  t.equal(probe.failed?.code, "append-conflict");
  await probe.release();
});

t.test("a missing block below the floor is damage: reported by reading and verification, never cut", async (t) => {
  for (const missing of [1n, 11n, 21n]) {
    const kv = new FaultyKv();
    await fill(await openLogs(kv), 5, 10);
    await kv.delete(keys.block(name, missing));
    const before = await blockKeys(kv);
    const logs = await openLogs(kv);
    const probe = await Probe.claim(logs).catch((error: unknown) => error);
    if (probe instanceof Probe) {
      t.equal(probe.height, 50n, "a claim needs only the beginning and the end");
      await probe.release();
    }
    t.equal(probe instanceof Probe, missing > 1n);
    t.equal(await blockKeys(kv), before, "nothing was cut");
    const { log, done } = await logs.readToVerify(zod, 0);
    await t.rejects(readBack(kv, logs), { code: "store-damaged" });
    t.match((await verifyLog(kv, log, () => undefined)).damage, [{ id: missing > 1n ? missing : 10n, code: "store-damaged" }]);
    done();
  }
});

t.test("a gap between the end and an acknowledged floor refuses the claim and cuts nothing", async (t) => {
  const kv = new FaultyKv();
  await fill(await openLogs(kv), 3, 10);
  // As if 31 to 40 had been acknowledged and lost, while a later block that was in flight then is there.
  await putBlock(kv, 51n, 40n);
  const logs = await openLogs(kv);
  await t.rejects(Probe.claim(logs), { code: "store-damaged" });
  t.equal(await blockKeys(kv), 4, "nothing was cut");
  const [summary] = await logs.list();
  t.equal(summary?.logs[0]?.state, "damaged", "and the list still works");
  const { log } = await logs.readToVerify(zod, 0);
  const report = await verifyLog(kv, log, () => undefined);
  t.match(report, { events: 30n, damage: [{ id: 31n, code: "store-damaged" }] });
});

t.test("blocks beyond a gap above the floor are leftovers: unseen by readers, cut by the next claim", async (t) => {
  const kv = new FaultyKv();
  await fill(await openLogs(kv), 3, 10);
  for (const firstId of [41n, 51n]) {
    await putBlock(kv, firstId, 30n);
  }
  const logs = await openLogs(kv);
  t.equal((await readBack(kv, logs)).size, 30);
  const probe = await Probe.claim(logs);
  t.equal(probe.height, 30n);
  t.equal(await blockKeys(kv), 3);
  probe.push(31n, some(31n, 20));
  await probe.acknowledged(50n);
  await probe.release();
  t.equal((await readBack(kv, logs)).size, 50);
});

t.test("any flipped byte of a block is found, and never read as an event", async (t) => {
  const kv = new FaultyKv();
  await fill(await openLogs(kv), 3, 4);
  const key = keys.block(name, 5n);
  const whole = (await kv.get(key)) ?? Buffer.alloc(0);
  const good = await readBack(kv, await openLogs(kv));
  for (let at = 0; at < whole.length; at++) {
    const block = Buffer.from(whole);
    block.writeUInt8(block.readUInt8(at) ^ (1 << (at % 8)), at);
    await kv.put(key, block);
    const logs = await openLogs(kv);
    const { log, done } = await logs.readToVerify(zod, 0);
    const report = await verifyLog(kv, log, () => undefined).catch((error: StoreError) => ({ damage: [{ id: 5n, code: error.code }] }));
    const [first] = report.damage;
    if (first === undefined || first.id < 5n || first.id > 8n) {
      t.fail(`byte ${at} of ${whole.length}: ${JSON.stringify(first?.code)} at ${first?.id}`);
    }
    const read = await readBack(kv, logs).catch((error: StoreError) => error.code);
    if (typeof read === "object" && ![...read].every(([id, bytes]) => good.get(id)?.equals(bytes))) {
      t.fail(`byte ${at}: wrong bytes were read`);
    }
    done();
  }
  t.pass(`${whole.length} flips`);
});
