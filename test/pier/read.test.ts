// Reading the fixture that Vere's code wrote: every event against its manifest, in runs and pieces of every size.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Worker } from "node:worker_threads";
import t from "tap";
import { PierReader } from "../../src/pier/read.ts";
import { pierSmallManifest, unpackPierSmall } from "../fixtures.ts";
import { buildPier, parseRecords, payloads, readLines } from "./helpers.ts";

const manifest = pierSmallManifest();
const log = path.join(unpackPierSmall(t.testdir()), ".urb", "log");
const epoch = path.join(log, "0i0");

t.test("every event equals its manifest, however the runs are cut", async (t) => {
  for (const maxBytes of [1001, 4096, 65536, 1 << 20, 8 << 20]) {
    t.strictSame(await readLines(epoch, maxBytes), manifest, `runs of ${maxBytes}`);
  }
});

t.test("spans, surveys and META", async (t) => {
  const reader = PierReader.open(epoch);
  t.teardown(() => reader.close());
  t.strictSame(await reader.span(), { firstId: 1n, lastId: 2000n, count: 2000n });
  const survey = await reader.survey();
  t.equal(survey.payloadBytes, BigInt(manifest.reduce((sum, line) => sum + line.lengthBytes, 0)));
  t.equal(survey.shortEvents, 0n);
  const meta = await reader.meta();
  t.strictSame([...meta.keys()], ["fake", "life", "version", "who"]);
  t.equal(meta.get("who")?.toString("hex"), "3ff1da60");
  const top = PierReader.open(log);
  t.strictSame(await top.meta(), meta);
  t.strictSame(await top.span(), { firstId: 0n, lastId: 0n, count: 0n });
  t.equal(await top.nextRun(1n, 4096), null);
  top.close();
});

t.test("a run keeps below its bytes and ends at the log's end", async (t) => {
  const reader = PierReader.open(epoch);
  t.teardown(() => reader.close());
  const into = Buffer.alloc(100_000);
  const run = await reader.nextRun(1500n, 50_000, 0, into);
  t.ok(run !== null && run.bytes.length <= 50_000 && run.firstId === 1500n && run.bytes.buffer === into.buffer);
  t.equal(parseRecords(run?.bytes ?? Buffer.alloc(0)).length, Number(run?.count));
  t.equal((await reader.nextRun(2000n, 1 << 20))?.count, 1n);
  t.equal(await reader.nextRun(2001n, 1 << 20), null);
  await t.rejects(reader.nextRun(0n, 1 << 20), { code: "pier-range" });
  await t.rejects(reader.nextRun(3n, 4096, 8), { code: "pier-range" }, "pieces begin with the first");
  await t.rejects(reader.nextRun(1n, 10), RangeError);
});

t.test("reading changes nothing", async (t) => {
  const hash = () =>
    createHash("sha256")
      .update(readFileSync(path.join(epoch, "data.mdb")))
      .digest("hex");
  const before = hash();
  await readLines(epoch);
  t.equal(hash(), before);
  t.notOk(readdirSync(epoch).includes("lock.mdb"), "no lock file appears");
});

t.test("missing files and closed readers", async (t) => {
  t.throws(() => PierReader.open(path.join(log, "0i7")), { code: "pier-missing", hint: /path/ });
  t.throws(() => PierReader.open(path.join(epoch, "epoc.txt")), { code: "pier-missing" });
  const reader = PierReader.open(epoch);
  const run = reader.nextRun(1n, 1 << 20);
  reader.close();
  t.equal((await run)?.firstId, 1n, "work under way ends well");
  await t.rejects(reader.span(), { code: "pier-closed" });
});

t.test("an event of 40 MB comes in pieces, in little memory", async (t) => {
  const folder = path.join(t.testdir(), "pier");
  const [big] = payloads(1, 40 << 20);
  const small = payloads(2, 100);
  await buildPier(folder, [{ base: 0n, payloads: [small[0] ?? Buffer.alloc(0), big ?? Buffer.alloc(0), small[1] ?? Buffer.alloc(0)] }]);
  const reader = PierReader.open(path.join(folder, ".urb", "log", "0i0"));
  t.teardown(() => reader.close());
  const into = Buffer.alloc(1 << 20);
  const hash = createHash("sha256");
  const before = process.memoryUsage().rss;
  let peak = before;
  let run = await reader.nextRun(2n, into.length, 0, into);
  let pieces = 0;
  for (let at = 0; run !== null && run.firstId === 2n; pieces++) {
    t.equal(run.offsetBytes, at);
    hash.update(run.bytes);
    at += run.bytes.length;
    peak = Math.max(peak, process.memoryUsage().rss);
    run = await reader.nextRun(at < run.totalBytes ? 2n : 3n, into.length, at < run.totalBytes ? at : 0, into);
  }
  t.equal(run?.firstId, 3n);
  t.ok(pieces >= 41);
  const whole = await reader.nextRun(2n, (40 << 20) + 24);
  t.equal(whole?.count, 1n);
  t.equal(
    hash.digest("hex"),
    createHash("sha256")
      .update(whole?.bytes ?? "")
      .digest("hex"),
  );
  t.ok(parseRecords(whole?.bytes ?? Buffer.alloc(0))[0]?.payload.equals(big ?? Buffer.alloc(0)));
  t.ok(peak - before < 16 << 20, `${(peak - before) >> 20} MiB more while reading pieces`);
});

t.test("worker threads read too, and may end in the middle", async (t) => {
  const source = new URL("./worker.ts", import.meta.url);
  const workers = [1, 2].map(() => new Worker(source, { workerData: epoch, execArgv: process.execArgv }));
  const counts = await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
  t.strictSame(counts, [2000, 2000]);
  await Promise.all(workers.map((worker) => worker.terminate()));
});
