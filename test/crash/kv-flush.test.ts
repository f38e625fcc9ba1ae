// An acknowledged commit is on disk: shown by crashes that lose everything not flushed, and by the proof failing once flushes lie.
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";
import t, { type Test } from "tap";
import { buildFlushLayer, type FlushLayer, lie, loss } from "./flush-layer.ts";
import { type Engine, KvRuns } from "./kv-runs.ts";
import { Random } from "./random.ts";

const rowsPerLife = 40;
const crashesPerStore = 4;
const greatestGroup = 3;
const timeBound_ms = 15_000;
/** However slow the machine: one trial may well miss what lies break. */
const trialsLeast = 30;
const losses = Object.values(loss);

interface Trial {
  readonly broken: string | null;
  readonly crashes: number;
  readonly lost: number;
}

/** Where an engine is tried, and how many operations a life of it takes. */
interface Place {
  readonly runs: KvRuns;
  readonly layer: FlushLayer;
  readonly dir: string;
  readonly operations: number;
}

/** What the promise says of a store of this height; null if it holds. A group that was under way may be there as well. */
function judge(height: number | string, acknowledged: number): string | null {
  if (typeof height === "string") return `acknowledged ${acknowledged}, but the store is broken: ${height}`;
  if (height < acknowledged) return `acknowledged ${acknowledged}, but the store ends at ${height}`;
  if (height > acknowledged + greatestGroup) return `acknowledged ${acknowledged}, but the store has ${height}`;
  return null;
}

/** A store that lives and crashes several times; says where the promise broke, if it did. Each life first checks what the last one left. */
async function trial({ runs, layer, dir, operations }: Place, seed: number, lieMask: number): Promise<Trial> {
  const random = new Random(seed);
  const root = path.join(dir, `root-${lieMask}-${seed}`);
  mkdirSync(root, { recursive: true });
  const store = path.join(root, "store");
  let acknowledged = 0;
  let lost = 0;
  for (let crashes = 0; ; crashes++) {
    const settings = {
      crashAt: random.between(1, operations),
      seed: random.between(1, 2 ** 31),
      loss: losses[random.between(0, losses.length - 1)] ?? 0,
      lie: lieMask,
    };
    if (crashes === crashesPerStore) {
      const broken = judge(await runs.verify(store), acknowledged);
      rmSync(root, { recursive: true });
      return { broken, crashes, lost };
    }
    const run = layer.run(root, `${root}.control`, settings);
    const life = await runs.append(store, rowsPerLife, run.env);
    lost += run.get("lost");
    run.close();
    const opened = life.found >= 0;
    const height = opened ? life.found : `exit ${life.status}`;
    const broken = opened || life.signal !== "SIGKILL" ? judge(height, acknowledged) : null;
    if (broken !== null) return { broken: `seed ${seed}, after crash ${crashes}: ${broken}`, crashes, lost };
    acknowledged = Math.max(acknowledged, life.found, life.acknowledged);
  }
}

async function whole(t: Test, runs: KvRuns, layer: FlushLayer, dir: string): Promise<number> {
  const run = layer.run(dir, path.join(dir, "..", `control-${process.pid}`), {});
  mkdirSync(path.join(dir, "whole"));
  const life = await runs.append(path.join(dir, "whole", "store"), rowsPerLife, run.env);
  const operations = run.get("operations");
  run.close();
  t.equal(life.acknowledged, rowsPerLife, "the layer lets a process work");
  t.ok(operations > rowsPerLife, `${operations} operations to crash at`);
  return operations;
}

async function crashes(t: Test, engine: Engine, layer: FlushLayer): Promise<void> {
  const dir = t.testdir();
  const runs = new KvRuns(dir, engine);
  const place: Place = { runs, layer, dir, operations: await whole(t, runs, layer, dir) };
  const first = Number(process.env.SEGURO_SEED ?? process.pid * 1000);

  t.test("what was acknowledged survives the loss of everything unflushed", async (t) => {
    const end = performance.now() + timeBound_ms;
    const total = { crashes: 0, lost: 0 };
    let seed = first;
    const work = async () => {
      while (performance.now() < end || total.lost === 0) {
        const { broken, crashes, lost } = await trial(place, seed++, lie.none);
        if (broken !== null) t.fail(broken);
        total.crashes += crashes;
        total.lost += lost;
      }
    };
    await Promise.all([work(), work()]);
    t.comment(`seeds ${first} to ${seed - 1}: ${total.crashes} crashes, ${total.lost} unflushed writes lost`);
    t.ok(total.lost > 0, "crashes did lose something");
  });

  for (const [name, mask] of Object.entries(lie).filter(([, mask]) => mask !== lie.none)) {
    t.test(`with the flush taken out (${name}) the promise breaks, and this is seen`, async (t) => {
      const end = performance.now() + timeBound_ms;
      for (let seed = first; performance.now() < end || seed < first + trialsLeast; seed++) {
        const { broken } = await trial(place, seed, mask);
        if (broken !== null) return t.pass(broken);
      }
      return t.fail("no crash showed that flushes were missing");
    });
  }
}

const layer = buildFlushLayer(t.testdir());
if (typeof layer === "string") t.plan(0, layer);
else for (const engine of ["lmdb", "journal"] as const) t.test(engine, (t) => crashes(t, engine, layer));
