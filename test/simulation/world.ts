// A whole simulated world: a cluster, machines with sidecars, ships and their runtimes, readers, and misfortunes; all of it from one seed.
import { PIECE_BYTES } from "../../src/log/limits.ts";
import { makeShip, type Ship } from "../../src/ship.ts";
import { Chance } from "./chance.ts";
import { Cluster } from "./cluster.ts";
import { type FaultRates, faultRates, NO_FAULTS } from "./faults.ts";
import { type Entry, type FinalLog, History } from "./history.ts";
import { look } from "./lookers.ts";
import { Misfortunes } from "./misfortunes.ts";
import { Runtime } from "./runtime.ts";
import { Scheduler } from "./scheduler.ts";
import { Sidecar, type Wraps } from "./sidecar.ts";
import { survey } from "./survey.ts";
import type { Habits } from "./writing.ts";

/** How one world differs from another. */
export interface Plan {
  readonly seed: number;
  readonly machines: number;
  readonly ships: number;
  /** Runtimes of each ship: a second one is a double boot. */
  readonly runtimes: number;
  readonly lastsMs: number;
  readonly batches: number;
  readonly habits: Habits;
  readonly rates: FaultRates;
  /** Between two misfortunes, on average. */
  readonly misfortuneMs: number;
  /** How often one comes just after a batch was taken in. */
  readonly aimed: number;
  readonly fragmentBytes: number;
  readonly batchMs: number;
}

export interface Outcome {
  readonly entries: readonly Entry[];
  readonly finals: readonly FinalLog[];
  /** What went wrong with the run itself. */
  readonly stuck: string | null;
  readonly events: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** How long everything may take to come to rest once all faults are over. */
const REST_MS = 600_000;

/**
 * Two runtimes fight for one ship, and operators step in while commits are under way that share versions with theirs; nothing else goes wrong. What
 * a writer believes to know of its epoch is put to the test.
 */
const CONTENDED: Partial<Plan> = {
  machines: 2,
  ships: 1,
  runtimes: 2,
  batches: 60,
  rates: NO_FAULTS,
  misfortuneMs: 60_000,
  aimed: 0.5,
  batchMs: 20,
};

/** The limits are not the shipped ones (tree.ts): what is huge costs little. */
const SMALL = PIECE_BYTES < 1 << 20;

export function planOf(seed: number): Plan {
  const chance = new Chance(seed);
  const plan: Plan = {
    seed,
    machines: chance.pick([1, 2, 2, 2, 3]),
    ships: chance.pick([1, 1, 1, 2, 3]),
    runtimes: chance.pick([1, 1, 2]),
    lastsMs: chance.pick([5_000, 30_000, 120_000]),
    batches: chance.between(5, 60),
    habits: {
      huge: SMALL ? chance.pick([0, 0.02, 0.1]) : chance.pick([0, 0, 0, 0, 0.005]),
      atomic: chance.pick([0, 0.1, 0.3]),
      metadata: chance.pick([0, 0, 0.3]),
      batchMax: chance.pick([1, 3, 8]),
      thinkMs: chance.pick([3, 30, 300, 2_000, 10_000]),
    },
    rates: faultRates(chance),
    misfortuneMs: chance.pick([1_500, 5_000, 20_000, 60_000]),
    aimed: chance.pick([0, 0.05, 0.2, 0.5]),
    batchMs: chance.pick([0.1, 1, 5, 20]),
    fragmentBytes: SMALL ? chance.pick([200, 1_000, 90_000]) : 90_000,
  };
  return chance.odds(0.15) ? { ...plan, ...CONTENDED } : plan;
}

export class World {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly cluster: Cluster;
  readonly history: History;
  readonly ships: readonly Ship[];
  closing = false;
  readonly chance: Chance;
  readonly #wraps: Wraps;
  readonly #misfortunes: Misfortunes;
  readonly #machines: Sidecar[] = [];
  #starts = 0;
  #batches = 0;
  #working = 0;
  #broken: string | null = null;

  constructor(plan: Plan, wraps: Wraps) {
    this.plan = plan;
    this.#wraps = wraps;
    this.chance = new Chance(plan.seed + 1);
    this.scheduler = new Scheduler(this.chance.fork());
    this.cluster = new Cluster(this.scheduler, this.chance.fork(), plan.rates, plan.batchMs);
    this.history = new History(() => this.scheduler.nowMs);
    this.#misfortunes = new Misfortunes(this, this.chance.fork());
    this.ships = Array.from({ length: plan.ships }, (_, index) => makeShip(BigInt(index), index === 2 ? "fake" : "real"));
  }

  get sidecars(): readonly Sidecar[] {
    return this.#machines;
  }

  async run(): Promise<Outcome> {
    const { plan, scheduler } = this;
    for (let machine = 0; machine < plan.machines; machine++) {
      this.restart(machine);
    }
    for (const ship of this.ships) {
      for (let i = 0; i < plan.runtimes; i++) {
        this.#live(this.#runtime(ship, i % plan.machines));
      }
      this.#live(this.#readers(ship));
    }
    this.#live(this.#misfortunes.happen());
    scheduler.after(plan.lastsMs, () => {
      this.closing = true;
    });
    await scheduler.run(() => this.closing, plan.lastsMs + 1);
    this.#misfortunes.end();
    let finals: FinalLog[] = [];
    const rested = await scheduler.run(() => this.#working === 0, plan.lastsMs + REST_MS);
    if (rested) {
      this.#live(
        survey(this).then((found) => {
          finals = found;
        }),
      );
      await scheduler.run(() => this.#working === 0, plan.lastsMs + 2 * REST_MS);
    }
    const waits =
      this.#working === 0 ? null : `something waits for ever (${rested ? "in the final survey" : "after all faults were over"})`;
    return { entries: this.history.entries, finals, stuck: this.#broken ?? waits, events: scheduler.events, counts: this.cluster.counts };
  }

  /** Starts a sidecar on a machine, the one before it having ended. */
  restart(machine: number): Sidecar {
    const { scheduler, chance, cluster } = this;
    const { fragmentBytes } = this.plan;
    const before = this.#machines[machine];
    if (before !== undefined && !before.process.dead) {
      throw new Error(`simulation: ${before.process.name} still holds the lock of its state file`);
    }
    const sidecar = new Sidecar(machine, ++this.#starts, { scheduler, chance, cluster, wraps: this.#wraps, fragmentBytes });
    this.#machines[machine] = sidecar;
    return sidecar;
  }

  /** The newest log of a ship that anybody was told of; 0 when there is none. */
  currentLog(ship: Ship): number {
    const claims = new Map<string, string>();
    let log = 0;
    for (const entry of this.history.entries) {
      if (entry.kind === "claiming") {
        claims.set(entry.session, entry.ship);
      } else if (entry.kind === "opened" && claims.get(entry.session) === ship.name && entry.height > 0n) {
        log = Math.max(log, entry.log);
      }
    }
    return log;
  }

  #live(life: Promise<void>): void {
    this.#working++;
    life
      .catch((error: unknown) => {
        this.#broken ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
      })
      .finally(() => {
        this.#working--;
      });
  }

  /** Somebody runs a ship at a sidecar, besides all others. */
  visit(ship: Ship, sidecar: Sidecar): void {
    if (!this.closing) {
      this.#live(this.#runtimeAt(ship, 0).visit(sidecar));
    }
  }

  #runtimeAt(ship: Ship, home: number): Runtime {
    const world = this;
    const around = {
      scheduler: this.scheduler,
      history: this.history,
      sidecars: (): [Sidecar, ...Sidecar[]] => {
        const usual = this.#machines[home] as Sidecar;
        return [usual, ...this.#machines.filter((one) => one !== usual)];
      },
      get closing(): boolean {
        return world.closing;
      },
      appended: (sidecar: Sidecar) => {
        this.closing ||= ++this.#batches >= this.plan.batches;
        this.#misfortunes.appended(sidecar);
      },
    };
    return new Runtime(ship, around, this.chance.fork(), this.plan.habits);
  }

  async #runtime(ship: Ship, home: number): Promise<void> {
    await this.scheduler.sleep(this.chance.around(100));
    await this.#runtimeAt(ship, home).live();
  }

  async #readers(ship: Ship): Promise<void> {
    const chance = this.chance.fork();
    while (!this.closing) {
      await this.scheduler.sleep(chance.around(3_000));
      const log = this.currentLog(ship);
      const sidecar = this.#machines[chance.between(0, this.#machines.length - 1)];
      if (log > 0 && sidecar !== undefined) {
        await look(this.history, sidecar, ship, log, chance.odds(0.5) ? chance.around(2_000) : 0);
      }
    }
  }
}
