// A process killed at random times while it commits, or opens: what was acknowledged is there, contiguous, byte-equal.
import { once } from "node:events";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { type Engine, KvRuns } from "./kv-runs.ts";
import { Random } from "./random.ts";

const kills = 25;
const greatestGroup = 3;
const unlimited = 1_000_000;
/** One life in so many ends at a time of its own, often before the store is open. */
const earlyEvery = 3;
const earlyMs = 400;

async function killLoop(t: Test, engine: Engine): Promise<void> {
  const dir = t.testdir();
  const runs = new KvRuns(dir, engine);
  const seed = Number(process.env.SEGURO_SEED ?? process.pid);
  const random = new Random(seed);
  const store = path.join(dir, "store");
  let acknowledged = 0;
  let beforeOpen = 0;
  for (let kill = 0; kill < kills; kill++) {
    const worker = runs.start(store, unlimited);
    const exit = once(worker.child, "exit");
    const target = acknowledged + random.between(1, 60);
    if (kill % earlyEvery === earlyEvery - 1) await sleep(random.between(1, earlyMs));
    else await worker.read((line) => !line.startsWith("at ") && Number(line) >= target);
    worker.child.kill("SIGKILL");
    await worker.read(() => false);
    await exit;
    if (worker.found < 0) {
      beforeOpen++;
      continue;
    }
    if (worker.found < acknowledged || worker.found > acknowledged + greatestGroup) {
      t.fail(`seed ${seed}, kill ${kill}: acknowledged ${acknowledged}, but the store ended at ${worker.found}`);
    }
    acknowledged = Math.max(worker.found, worker.acknowledged);
  }
  const height = await runs.verify(store);
  t.comment(`seed ${seed}: ${kills} kills, ${beforeOpen} of them before the store was open`);
  t.ok(typeof height === "number" && height >= acknowledged, `seed ${seed}: acknowledged ${acknowledged}, found ${height}`);
}

for (const engine of ["lmdb", "journal"] as const) t.test(`${engine}: kill -9 in a loop`, (t) => killLoop(t, engine));
