// Two machines, one ship, a real cluster: the second is refused while the first lives; what was taken over can never be written by the first again.
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { SeguroError } from "../../src/wire/errors.ts";
import { seguroJson } from "../cli/command.ts";
import { History } from "../simulation/history.ts";
import { Cluster } from "./cluster.ts";
import { effort, judge, Machine, seed } from "./harness.ts";
import { withoutCluster } from "./installed.ts";
import { type Place, Runtime } from "./runtime.ts";

const SHIP = "~zod";
/** A lease is 10 s by the observer's clock. */
const LEASE_MS = 10_000;
const STOPPED_ROUNDS = effort;

/** Two machines on one store, a history, and runtimes of the ship on either. */
class Pair {
  readonly history = new History(() => performance.now());
  readonly a: Machine;
  readonly b: Machine;
  readonly #t: Test;
  #runtimes = 0;

  constructor(t: Test, cluster: Cluster, prefix: string) {
    this.#t = t;
    this.a = new Machine(t, cluster, "a", prefix);
    this.b = new Machine(t, cluster, "b", prefix);
  }

  runtime(place: () => Place | null): Runtime {
    this.#runtimes++;
    const runtime = new Runtime({ history: this.history, ship: SHIP, seed: seed + this.#runtimes, place });
    this.#t.teardown(() => runtime.abandon());
    return runtime.start();
  }

  /** A runtime that connects to one start of a sidecar and never to another: there it ends with the session. */
  once(machine: Machine): Runtime {
    let asked = false;
    return this.runtime(() => {
      const place = asked ? null : machine.place();
      asked = true;
      return place;
    });
  }
}

/** Resolves with milliseconds when the runtime has a session. */
async function opened(runtime: Runtime, seconds: number): Promise<number> {
  const begunMs = performance.now();
  const before = runtime.sessions;
  while (runtime.sessions === before) {
    if (performance.now() - begunMs > seconds * 1000) {
      throw new Error(`no session within ${seconds} s: ${String(runtime.lastError)}`);
    }
    await sleep(10);
  }
  return performance.now() - begunMs;
}

async function endedWith(runtime: Runtime, seconds: number): Promise<string> {
  for (let waited = 0; waited < seconds * 1000 && runtime.lastError === null; waited += 20) {
    await sleep(20);
  }
  return runtime.lastError instanceof SeguroError ? runtime.lastError.code : String(runtime.lastError);
}

t.test("two sidecars on a real cluster", { skip: withoutCluster }, async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.stop());
  t.comment(`seed ${seed}`);

  t.test("the second is refused while the first lives; stopped in order, its ships are free at once", async (t) => {
    const pair = new Pair(t, cluster, "double/");
    await Promise.all([pair.a.start(), pair.b.start()]);
    const first = pair.once(pair.a);
    await first.grows(100);
    const second = pair.runtime(() => pair.b.place());
    while (second.lastError === null) {
      await sleep(20);
    }
    t.match(second.lastError, { code: "ship-busy", message: new RegExp(`process ${pair.a.pid} on `) }, "the owner is named");
    await first.grows(100);
    t.equal(second.sessions, 0, "and stays refused");
    const waited = opened(second, 30);
    t.equal((await pair.a.end("SIGTERM")).code, 0);
    t.comment(`${Math.round(await waited)} ms from the order to stop until the other has the ship`);
    t.ok((await waited) < 6000, "no lease is waited for");
    await second.grows(100);
    await second.stop();
    await judge(t, pair.history, pair.b, [SHIP]);
    await pair.b.end("SIGTERM");
  });

  t.test("a sidecar that was killed and starts again takes its own ships over at once; another machine waits a lease", async (t) => {
    const pair = new Pair(t, cluster, "restart/");
    await pair.a.start();
    const first = pair.runtime(() => pair.a.place());
    await first.grows(100);
    await pair.a.end("SIGKILL");
    await pair.a.start();
    const own = await opened(first, 30);
    t.comment(`${Math.round(own)} ms until the restarted one had its ship again`);
    t.ok(own < LEASE_MS / 2, "at once");
    await first.grows(100);
    await pair.b.start();
    await pair.a.end("SIGKILL");
    const second = pair.once(pair.b);
    const other = await opened(second, 40);
    t.comment(`${Math.round(other)} ms until another machine had it`);
    t.ok(other > LEASE_MS * 0.9, "not before a lease is over");
    await first.abandon();
    await second.grows(100);
    await second.stop();
    await judge(t, pair.history, pair.b, [SHIP]);
    await pair.b.end("SIGTERM");
  });

  t.test("fence", async (t) => {
    const pair = new Pair(t, cluster, "fence/");
    await Promise.all([pair.a.start(), pair.b.start()]);
    const first = pair.once(pair.a);
    await first.grows(100);
    const name = pair.history.name("fence");
    pair.history.add({ kind: "intervening", name, what: "fence", ship: SHIP });
    const { code, json } = await seguroJson(["fence", SHIP, "--socket", pair.b.socket]);
    pair.history.add({ kind: "intervened", name });
    t.equal(code, 0);
    t.match(json, { ship: SHIP, from: new RegExp(`process ${pair.a.pid} on `) }, "it says from whom");
    t.equal(await endedWith(first, 10), "fenced", "the first's session ends");
    const second = pair.once(pair.b);
    await second.grows(100);
    await second.stop();
    await judge(t, pair.history, pair.b, [SHIP]);
    await Promise.all([pair.a.end("SIGTERM"), pair.b.end("SIGTERM")]);
  });

  t.test("stopped in the middle of commits for longer than a lease, taken over, and woken up", async (t) => {
    const pair = new Pair(t, cluster, "stopped/");
    await Promise.all([pair.a.start(), pair.b.start()]);
    for (let round = 0; round < STOPPED_ROUNDS; round++) {
      const first = pair.once(pair.a);
      await first.grows(200);
      pair.a.signal("SIGSTOP");
      pair.history.add({ kind: "disturbed", process: pair.a.processName, what: "SIGSTOP", untilMs: performance.now() + 3 * LEASE_MS });
      const second = pair.once(pair.b);
      const waited = await opened(second, 40);
      t.comment(`${Math.round(waited)} ms until the other machine had the ship`);
      await second.grows(200);
      pair.a.signal("SIGCONT");
      t.equal(await endedWith(first, 20), "fenced", "the one that was stopped is fenced");
      await second.grows(200);
      await second.stop();
    }
    await judge(t, pair.history, pair.b, [SHIP]);
    await Promise.all([pair.a.end("SIGTERM"), pair.b.end("SIGTERM")]);
  });
});
