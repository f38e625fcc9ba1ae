// A simulated operating system process: what is meant for it waits while it stands still, and is dropped once it has died.
import type { Chance } from "./chance.ts";
import type { Recipient, Scheduler } from "./scheduler.ts";

/** A call's process died before it answered. */
export class Gone extends Error {
  override readonly name = "Gone";
}

const CALL_MS = 0.2;
/** How long those who are connected to a process take to notice its death. */
const NOTICE_MS = 20;

export class SimulatedProcess implements Recipient {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  /** Clocks of different machines have nothing to do with each other. */
  readonly #clockMs: number;
  #state: "running" | "stopped" | "dead" = "running";
  #held: (() => void)[] = [];
  readonly #callers = new Set<(error: Gone) => void>();

  constructor(name: string, scheduler: Scheduler, chance: Chance) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.#clockMs = chance.between(0, 1_000_000_000);
  }

  get running(): boolean {
    return this.#state === "running";
  }

  get dead(): boolean {
    return this.#state === "dead";
  }

  nowMs(): number {
    return this.#clockMs + this.#scheduler.nowMs;
  }

  random(): number {
    return this.#chance.unit();
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal?.removeEventListener("abort", done);
        cancel();
        resolve();
      };
      const cancel = this.after(delayMs, done);
      if (signal?.aborted === true) {
        done();
      } else {
        signal?.addEventListener("abort", done);
      }
    });
  }

  /** Runs `run` in this process after a while; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void {
    let cancelled = false;
    const unlessCancelled = (): void => {
      if (!cancelled) {
        run();
      }
    };
    this.#scheduler.after(delayMs, () => this.deliver(unlessCancelled));
    return () => {
      cancelled = true;
    };
  }

  deliver(run: () => void): void {
    if (this.#state === "running") {
      this.#scheduler.runAs(this, run);
    } else if (this.#state === "stopped") {
      this.#held.push(run);
    }
  }

  /** Has `work` done in this process, on somebody's behalf. Rejects with `Gone` when the process dies first. */
  call<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const gone = (error: Gone): void => reject(error);
      this.#callers.add(gone);
      const asked = async (): Promise<void> => {
        try {
          resolve(await work());
        } catch (error) {
          reject(error);
        }
        this.#callers.delete(gone);
      };
      if (this.dead) {
        this.#scheduler.after(NOTICE_MS, () => reject(new Gone(`${this.name} is not there`)));
      } else {
        this.after(this.#chance.around(CALL_MS), () => void asked());
      }
    });
  }

  /** SIGSTOP. */
  stop(): void {
    if (this.#state === "running") {
      this.#state = "stopped";
    }
  }

  /** SIGCONT: timers and answers that came meanwhile are seen, mostly in their order. */
  wake(): void {
    if (this.#state !== "stopped") {
      return;
    }
    this.#state = "running";
    const held = this.#held;
    this.#held = [];
    const shuffled = this.#chance.odds(0.3);
    for (const run of held) {
      this.#scheduler.after(shuffled ? this.#chance.around(1) : 0, () => this.deliver(run));
    }
  }

  /** SIGKILL. */
  crash(): void {
    this.#state = "dead";
    this.#held = [];
    for (const gone of this.#callers) {
      this.#scheduler.after(this.#chance.around(NOTICE_MS), () => gone(new Gone(`${this.name} died`)));
    }
    this.#callers.clear();
  }
}
