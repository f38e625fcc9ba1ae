// Two machines and a real cluster of three under many misfortunes at once, from dice: the simulation's world, played with processes and signals.
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { seguroJson } from "../cli/command.ts";
import { Random } from "../crash/random.ts";
import { History } from "../simulation/history.ts";
import { Cluster } from "./cluster.ts";
import { effort, judge, Machine, seed } from "./harness.ts";
import { withoutCluster } from "./installed.ts";
import { Runtime } from "./runtime.ts";

const SECONDS = 30 * effort;
const SHIPS = ["~zod", "~marzod"];
/** What a misfortune of the cluster, or of a process, may still cause after it is over. */
const AFTERMATH_MS = 30_000;

class Chaos {
  readonly history = new History(() => performance.now());
  readonly machines: readonly [Machine, Machine];
  readonly runtimes: readonly Runtime[];
  readonly cluster: Cluster;
  readonly #random = new Random(seed);
  readonly #busy = new Set<string>();
  readonly #counts = new Map<string, number>();

  constructor(t: Test, cluster: Cluster) {
    this.cluster = cluster;
    this.machines = [new Machine(t, cluster, "a", "chaos/"), new Machine(t, cluster, "b", "chaos/")];
    // Each ship has a runtime on each machine: one writes, the other one waits for its chance.
    this.runtimes = SHIPS.flatMap((ship, index) =>
      this.machines.map((machine, side) => {
        const own = seed + index * 2 + side;
        return new Runtime({
          history: this.history,
          ship,
          seed: own,
          place: () => machine.place(),
          hugeEvery: 1000,
          ahead: 400,
          pauseMs: 30,
        });
      }),
    );
  }

  /** What has happened, for people. */
  get summary(): string {
    return [...this.#counts].map(([what, count]) => `${what} ${count}`).join(", ");
  }

  /** Misfortunes of machines, of servers, and by hand, each kind at its own pace. */
  async play(): Promise<void> {
    const untilMs = performance.now() + SECONDS * 1000;
    const series = async (pauseMs: number, misfortune: () => Promise<void>): Promise<void> => {
      while (performance.now() < untilMs) {
        await sleep(this.#random.between(pauseMs / 2, pauseMs * 2));
        await misfortune();
      }
    };
    await Promise.all([
      ...this.machines.map((machine) => series(4000, () => this.#machine(machine))),
      series(3000, () => this.#server()),
      series(8000, () => this.#byHand()),
    ]);
  }

  #note(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  #disturbed(process: string, what: string, ms: number): void {
    this.#note(what);
    this.history.add({ kind: "disturbed", process, what, untilMs: performance.now() + ms + AFTERMATH_MS });
  }

  async #machine(machine: Machine): Promise<void> {
    this.#busy.add(machine.name);
    const ms = this.#random.between(500, 18_000);
    if (this.#random.between(0, 1) === 0) {
      this.#note("sidecar killed");
      await machine.end("SIGKILL");
      await sleep(ms / 4);
      await machine.start();
    } else {
      this.#disturbed(machine.processName, "sidecar stopped", ms);
      machine.signal("SIGSTOP");
      await sleep(ms);
      machine.signal("SIGCONT");
    }
    this.#busy.delete(machine.name);
  }

  async #server(): Promise<void> {
    const server = this.#random.between(0, 2);
    const ms = this.#random.between(200, 4000);
    if (this.#random.between(0, 1) === 0) {
      this.#disturbed("*", "server killed", ms);
      await this.cluster.kill(server);
      await sleep(ms);
      this.cluster.restart(server);
    } else {
      this.#disturbed("*", "server stopped", ms);
      await this.cluster.kill(server, "SIGSTOP");
      await sleep(ms);
      await this.cluster.kill(server, "SIGCONT");
    }
  }

  async #byHand(): Promise<void> {
    const machine = this.machines.find(({ name }) => !this.#busy.has(name));
    const ship = SHIPS[this.#random.between(0, SHIPS.length - 1)] ?? "";
    if (machine === undefined) {
      return;
    }
    this.#note("fence");
    const name = this.history.name("fence");
    this.history.add({ kind: "intervening", name, what: "fence", ship });
    await seguroJson(["fence", ship, "--socket", machine.socket]).catch(() => undefined);
    this.history.add({ kind: "intervened", name });
  }
}

t.test("chaos on a real cluster", { skip: withoutCluster, timeout: (SECONDS + 200) * 1000 }, async (t) => {
  const cluster = await Cluster.start({ processes: 3 });
  t.teardown(() => cluster.stop());
  t.comment(`seed ${seed}`);
  const chaos = new Chaos(t, cluster);
  t.teardown(() => Promise.all(chaos.runtimes.map((runtime) => runtime.abandon())));
  await Promise.all(chaos.machines.map((machine) => machine.start()));
  for (const runtime of chaos.runtimes) {
    runtime.start();
  }
  await chaos.play();
  await cluster.available();
  t.comment(chaos.summary);
  // Whoever writes each ship now goes on; then all of them end.
  const [zod, marzod] = SHIPS.map((_, index) => chaos.runtimes.slice(index * 2, index * 2 + 2));
  await Promise.all([zod, marzod].map((both) => Promise.any((both ?? []).map((runtime) => runtime.grows(100, 90)))));
  await Promise.all(chaos.runtimes.map((runtime) => runtime.stop()));
  t.comment(`sessions: ${chaos.runtimes.map(({ sessions }) => sessions).join(", ")}`);
  await judge(t, chaos.history, chaos.machines[0], SHIPS);
  for (const machine of chaos.machines) {
    t.equal((await machine.end("SIGTERM")).code, 0);
  }
});
