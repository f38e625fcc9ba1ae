// The native pieces in worker threads: they load, work, and leave cleanly, also in the middle of asynchronous work.
import { once } from "node:events";
import path from "node:path";
import { Worker } from "node:worker_threads";
import t from "tap";

const addonPath = path.resolve(import.meta.dirname, "../../build/Release/seguro.node");

/** Plain JavaScript over the bare addon, so that no loader is needed in the worker. */
const body = `
  const { parentPort, workerData } = require("node:worker_threads");
  const addon = require(workerData.addonPath);
  const payload = Buffer.alloc(workerData.payloadBytes, 7);
  const record = Buffer.alloc(Math.ceil((24 + payload.length) / 8) * 8);
  addon.writeRecords(record, 1n, [payload]);
  const assembler = new addon.Assembler(new BigUint64Array(13), 1 << 20, 1 << 20, 2 ** 32 - 1);
  const kept = [];
  for (let i = 0; i < 20; i++) {
    if (assembler.push(record) !== 0) throw new Error("push");
    assembler.expect(1n);
    kept.push(assembler.takeOwned());
  }
  assembler.push(record.subarray(0, record.length - 8));
  const chain = new addon.DigestChain(0n, Buffer.alloc(32));
  const results = Buffer.alloc(40);
  const advancing = chain.advance([record], [1], [9n], results);
  const unpacking = addon.unpackBlocks(Buffer.alloc(1000), Buffer.alloc(16), 1, 1, 1n, 9n, 0n);
  if (workerData.wait) {
    Promise.all([advancing, unpacking]).then(([digest, unpacked]) =>
      parentPort.postMessage({ done: digest.jobsDone, stop: unpacked.stop, same: kept.every((bytes) => bytes.equals(record)) }));
  } else {
    parentPort.postMessage("busy");
    setInterval(() => {}, 1000);
  }
`;

const start = (wait: boolean, payloadBytes: number) =>
  new Worker(body, { eval: true, execArgv: [], workerData: { addonPath, wait, payloadBytes } });

t.test("they work", async (t) => {
  const outcomes = [500_000, 100, 40_000].map(async (payloadBytes) => {
    const worker = start(true, payloadBytes);
    const ended = once(worker, "exit");
    const [message] = await once(worker, "message");
    return [message, await ended];
  });
  for (const outcome of await Promise.all(outcomes)) {
    t.same(outcome, [{ done: 1, stop: 3, same: true }, [0]]);
  }
});

t.test("they can be ended in mid work", async (t) => {
  for (let i = 0; i < 10; i++) {
    const worker = start(false, 900_000);
    await once(worker, "message");
    t.equal(await worker.terminate(), 1);
  }
});

t.test("they leave nothing behind", async (t) => {
  const round = async () => {
    const worker = start(true, 900_000);
    await once(worker, "exit");
  };
  for (let i = 0; i < 10; i++) {
    await round();
  }
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 20; i++) {
    await round();
  }
  // Each of them held about 19 MB: a leak would show as hundreds.
  t.ok(process.memoryUsage().rss - before < 100_000_000, String(process.memoryUsage().rss - before));
});
