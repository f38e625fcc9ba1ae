// A worker thread of read.test.ts: counts the events of a log folder, then keeps reading until it is ended.
import { parentPort, workerData } from "node:worker_threads";
import { PierReader } from "../../src/pier/read.ts";
import { readLines } from "./helpers.ts";

const folder = workerData as string;
parentPort?.postMessage((await readLines(folder)).length);
const reader = PierReader.open(folder);
for (;;) {
  await reader.nextRun(1n, 1 << 20);
}
