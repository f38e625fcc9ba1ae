// Disks that are full or broken: full refuses, keeps everything and goes on when there is room; a failed flush ends the store's service.
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import path from "node:path";
import t, { type Test } from "tap";
import { buildFlushLayer, type FlushLayer, type FlushRun, type Settings } from "./flush-layer.ts";
import { KvRuns, type Worker } from "./kv-runs.ts";

const eio = 5;
const enospc = 28;
const unlimited = 1_000_000;

const dir = t.testdir();
const layer = buildFlushLayer(dir);

/** Runs `body` with a worker that appends over the layer, ends it, and returns what the store holds then. */
async function withWorker(
  runs: KvRuns,
  layer: FlushLayer,
  name: string,
  settings: Settings,
  rows: number,
  body: (worker: Worker, run: FlushRun) => Promise<void>,
): Promise<number | string> {
  const root = path.join(dir, name);
  mkdirSync(root);
  const run = layer.run(root, `${root}.control`, settings);
  const worker = runs.start(path.join(root, "store"), rows, run.env);
  const exit = once(worker.child, "exit");
  await body(worker, run);
  worker.child.stdin?.end();
  await worker.read(() => false);
  await exit;
  run.close();
  return runs.verify(path.join(root, "store"));
}

const isError = (line: string) => line.startsWith("error ");
const lastError = (worker: Worker) => (worker.errors.at(-1) ?? "").split(" ")[0];

async function again(worker: Worker, rows: number): Promise<void> {
  const before = worker.acknowledged;
  worker.child.stdin?.write(`${rows}\n`);
  await worker.read((line) => isError(line) || (!line.startsWith("at ") && Number(line) === before + rows));
}

/** The store is full: refused twice, then room, then more rows, and all of them are there. */
async function fullThenRoom(t: Test, worker: Worker, makeRoom: () => void): Promise<void> {
  await worker.read(isError);
  t.equal(lastError(worker), "store-full", `${worker.errors.at(-1)}`);
  const acknowledged = worker.acknowledged;
  await again(worker, 20);
  t.equal(lastError(worker), "store-full", "still full");
  const errors = worker.errors.length;
  makeRoom();
  await again(worker, 20);
  t.equal(worker.errors.length, errors, "no further error once there is room");
  t.equal(worker.acknowledged, acknowledged + 20);
}

function faults(runs: KvRuns, layer: FlushLayer): void {
  for (const room of [300_000, 1_234_567, 3_000_000]) {
    t.test(`a disk with ${room} bytes`, async (t) => {
      let acknowledged = 0;
      const height = await withWorker(runs, layer, `full-${room}`, { room }, unlimited, async (worker, run) => {
        await fullThenRoom(t, worker, () => run.makeRoom());
        acknowledged = worker.acknowledged;
      });
      t.equal(height, acknowledged);
    });
  }

  t.test("a disk that turns out full when the meta page is written: the environment is opened again", async (t) => {
    let acknowledged = 0;
    const height = await withWorker(runs, layer, "full-meta", {}, 10, async (worker, run) => {
      await worker.read((line) => line === "10");
      run.set("syncWriteErrno", enospc);
      worker.child.stdin?.write("5\n");
      await fullThenRoom(t, worker, () => run.set("syncWriteErrno", 0));
      acknowledged = worker.acknowledged;
    });
    t.equal(height, acknowledged);
  });

  for (const word of ["flushErrno", "syncWriteErrno", "writeErrno"] as const) {
    t.test(`${word} = EIO: nothing more until an operator opens the store again`, async (t) => {
      let acknowledged = 0;
      const height = await withWorker(runs, layer, `eio-${word}`, {}, 10, async (worker, run) => {
        await worker.read((line) => line === "10");
        run.set(word, eio);
        await again(worker, 5);
        t.equal(lastError(worker), "store-failed", `${worker.errors.at(-1)}`);
        run.set(word, 0);
        await again(worker, 5);
        t.strictSame([worker.errors.length, lastError(worker)], [2, "store-failed"], "the disk answering again is not enough");
        acknowledged = worker.acknowledged;
      });
      t.equal(acknowledged, 10);
      t.ok(typeof height === "number" && height >= acknowledged && height <= acknowledged + 3, `found ${height}`);
    });
  }
}

/** Room for the segments that a journal makes at first, and then little or more. */
function journalFaults(runs: KvRuns, layer: FlushLayer): void {
  for (const room of [4_000_000, 6_000_000]) {
    t.test(`journal: a disk with ${room} bytes`, async (t) => {
      let acknowledged = 0;
      const height = await withWorker(runs, layer, `journal-full-${room}`, { room }, unlimited, async (worker, run) => {
        await fullThenRoom(t, worker, () => run.makeRoom());
        acknowledged = worker.acknowledged;
      });
      t.equal(height, acknowledged);
    });
  }

  for (const word of ["syncWriteErrno", "writeErrno"] as const) {
    t.test(`journal: ${word} = EIO: nothing more until an operator opens the store again`, async (t) => {
      const height = await withWorker(runs, layer, `journal-eio-${word}`, {}, 10, async (worker, run) => {
        await worker.read((line) => line === "10");
        run.set(word, eio);
        await again(worker, 5);
        t.equal(lastError(worker), "store-failed", `${worker.errors.at(-1)}`);
        run.set(word, 0);
        await again(worker, 5);
        t.strictSame([worker.errors.length, lastError(worker)], [2, "store-failed"], "the disk answering again is not enough");
        t.equal(worker.acknowledged, 10);
      });
      t.ok(typeof height === "number" && height >= 10 && height <= 13, `found ${height}`);
    });
  }

  t.test("journal: a base that cannot be flushed ends it, and opening again recovers from the log", async (t) => {
    let acknowledged = 0;
    const height = await withWorker(runs, layer, "journal-base", {}, 10, async (worker, run) => {
      await worker.read((line) => line === "10");
      run.set("flushErrno", eio);
      await again(worker, 500);
      t.equal(lastError(worker), "store-failed", `${worker.errors.at(-1)}`);
      run.set("flushErrno", 0);
      acknowledged = worker.acknowledged;
    });
    t.ok(
      typeof height === "number" && height >= acknowledged && height <= acknowledged + 3,
      `acknowledged ${acknowledged}, found ${height}`,
    );
  });
}

if (typeof layer === "string") t.plan(0, layer);
else {
  faults(new KvRuns(path.join(dir, "lmdb"), "lmdb"), layer);
  journalFaults(new KvRuns(path.join(dir, "journal"), "journal"), layer);
}
