// A process killed at random times while it commits: what was acknowledged is there, contiguous, byte-equal.
import { once } from "node:events";
import path from "node:path";
import t from "tap";
import { KvRuns } from "./kv-runs.ts";
import { Random } from "./random.ts";

const kills = 25;
const greatestGroup = 3;
const unlimited = 1_000_000;

t.test("kill -9 in a loop", async (t) => {
  const dir = t.testdir();
  const runs = new KvRuns(dir);
  const seed = Number(process.env.SEGURO_SEED ?? process.pid);
  const random = new Random(seed);
  const store = path.join(dir, "store");
  let acknowledged = 0;
  for (let kill = 0; kill < kills; kill++) {
    const worker = runs.start(store, unlimited);
    const exit = once(worker.child, "exit");
    const target = acknowledged + random.between(1, 60);
    await worker.read((line) => !line.startsWith("at ") && Number(line) >= target);
    worker.child.kill("SIGKILL");
    await worker.read(() => false);
    await exit;
    if (worker.found < acknowledged || worker.found > acknowledged + greatestGroup) {
      t.fail(`seed ${seed}, kill ${kill}: acknowledged ${acknowledged}, but the store ended at ${worker.found}`);
    }
    acknowledged = worker.acknowledged;
  }
  const height = await runs.verify(store);
  t.ok(typeof height === "number" && height >= acknowledged, `seed ${seed}: acknowledged ${acknowledged}, found ${height}`);
});
