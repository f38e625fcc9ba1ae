// What happens to machines and the cluster: crashes, standstills, networks that part, locks, no room, and people who intervene by hand.
import type { Logs } from "../../src/log/logs.ts";
import type { Ship } from "../../src/ship.ts";
import { StoreError } from "../../src/store/errors.ts";
import { SeguroError } from "../../src/wire/errors.ts";
import type { Chance } from "./chance.ts";
import { OVER_QUOTA } from "./history.ts";
import type { Sidecar } from "./sidecar.ts";
import type { World } from "./world.ts";

type Kind = "crash" | "stop" | "cut" | "away" | "lock" | "quota" | "space" | "fence" | "retire" | "end";

const KINDS: readonly Kind[] = ["crash", "stop", "cut", "away", "lock", "quota", "space", "fence", "fence", "retire", "end"];
/** Shorter and longer than a lease. */
const SPANS_MS = [300, 3_000, 15_000, 40_000] as const;
/** While a commit is under way. */
const AIMED_MS = 2;
const RESTART_MS = 1_500;

export class Misfortunes {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #stopped = new Set<Sidecar>();
  #over = false;

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
  }

  async happen(): Promise<void> {
    const { scheduler, plan } = this.#world;
    while (!this.#over) {
      // The dice may say a quarter of an hour, for which the world would wait in the end.
      await scheduler.sleep(Math.min(this.#chance.around(plan.misfortuneMs), plan.lastsMs + 1));
      this.#strike(this.#chance.pick(this.#world.sidecars), this.#chance.pick(KINDS));
    }
  }

  /** Everything that was stopped goes on, and everything answers, from now on. */
  end(): void {
    this.#over = true;
    this.#world.cluster.heal();
    for (const sidecar of this.#world.sidecars) {
      sidecar.connection.cutUntilMs = 0;
    }
    for (const sidecar of this.#stopped) {
      sidecar.process.wake();
    }
  }

  /** Just after a batch was taken in, while it is on its way to the cluster, something may happen to its sidecar. */
  appended(sidecar: Sidecar): void {
    if (!this.#over && this.#chance.odds(this.#world.plan.aimed)) {
      const kind = this.#chance.pick(["crash", "stop", "cut", "fence"] as const);
      this.#world.scheduler.after(this.#chance.around(AIMED_MS), () => this.#strike(sidecar, kind));
    }
  }

  #strike(sidecar: Sidecar, kind: Kind): void {
    const machine = this.#world.sidecars.indexOf(sidecar);
    if (this.#over || machine < 0 || sidecar.process.dead) {
      return;
    }
    const spanMs = this.#chance.around(this.#chance.pick(SPANS_MS));
    const strikes: Readonly<Record<Kind, () => void>> = {
      crash: () => this.#crash(machine, sidecar),
      stop: () => this.#stop(sidecar, spanMs),
      cut: () => {
        this.#disturbed(sidecar.process.name, "cut off", spanMs);
        sidecar.connection.cutUntilMs = this.#world.scheduler.nowMs + spanMs;
      },
      away: () => {
        this.#disturbed("*", "the cluster is away", spanMs);
        this.#world.cluster.goAway(spanMs, this.#chance.odds(0.5));
      },
      lock: () => {
        this.#disturbed("*", "the cluster is locked", spanMs);
        this.#world.cluster.lock(spanMs);
      },
      quota: () => {
        this.#disturbed("*", OVER_QUOTA, spanMs);
        this.#world.cluster.overQuota(spanMs, this.#chance.pick([0.3, 1]));
      },
      space: () => {
        this.#disturbed("*", "the disks are full", spanMs);
        this.#world.cluster.withoutSpace(spanMs);
      },
      fence: () => this.#byHand("fence"),
      retire: () => this.#byHand("retire"),
      end: () => this.#shutDown(machine, sidecar),
    };
    strikes[kind]();
  }

  #disturbed(process: string, what: string, spanMs: number): void {
    this.#world.history.add({ kind: "disturbed", process, what, untilMs: this.#world.scheduler.nowMs + spanMs });
  }

  #crash(machine: number, sidecar: Sidecar): void {
    this.#disturbed(sidecar.process.name, "crashed", Number.POSITIVE_INFINITY);
    this.#startAgain(machine, sidecar);
  }

  #shutDown(machine: number, sidecar: Sidecar): void {
    this.#disturbed(sidecar.process.name, "shut down", Number.POSITIVE_INFINITY);
    sidecar.process.call(() => sidecar.shutDown()).catch(() => this.#startAgain(machine, sidecar));
  }

  /** A sidecar may end for more than one reason at once; its successor holds the lock of its state file, and there is one. */
  #startAgain(machine: number, ended: Sidecar): void {
    ended.process.crash();
    this.#world.scheduler.after(this.#chance.around(RESTART_MS), () => {
      if (this.#world.sidecars[machine] === ended) {
        this.#world.restart(machine);
      }
    });
  }

  #stop(sidecar: Sidecar, spanMs: number): void {
    if (sidecar.process.running) {
      this.#disturbed(sidecar.process.name, "stopped", spanMs);
      this.#stopped.add(sidecar);
      sidecar.process.stop();
      this.#world.scheduler.after(spanMs, () => sidecar.process.wake());
    }
  }

  async #retire(logs: Logs, { retiring }: Sidecar, ship: Ship): Promise<void> {
    const one = { ship };
    retiring.add(one);
    await logs.retire(ship).finally(() => retiring.delete(one));
  }

  /** An operator fences or retires a ship through some sidecar, sometimes to use it there. Refusals are judged by what follows. */
  #byHand(what: "fence" | "retire"): void {
    const { history, ships, sidecars } = this.#world;
    const ship = this.#chance.pick(ships);
    const sidecar = this.#chance.pick(sidecars);
    const name = history.name(what);
    history.add({ kind: "intervening", name, what, ship: ship.name });
    const done = sidecar.process.call(async () => {
      const logs = await sidecar.logs();
      await (what === "fence" ? logs.fence(ship, "an operator") : this.#retire(logs, sidecar, ship));
      history.add({ kind: "intervened", name });
    });
    done.then(
      () => (this.#chance.odds(0.7) ? this.#world.visit(ship, sidecar) : undefined),
      (error: unknown) => {
        const full = error instanceof StoreError && error.code === "store-full";
        if (!(sidecar.isEnd(error) || error instanceof SeguroError || full)) {
          history.add({ kind: "misread", reader: name, text: String(error) });
        }
      },
    );
  }
}
