// Several processes on one store, as tests see them: a store that is shared, a clock that a test turns, and processes that can be cut off.
import type { WriterIdentity } from "../../src/log/beat.ts";
import type { Clock } from "../../src/log/clock.ts";
import type { Logs } from "../../src/log/logs.ts";
import type { Commit, CommitOutcome, Kv, KvLimits, RangeOptions, Rows } from "../../src/store/kv.ts";
import { FaultyKv } from "./faulty-kv.ts";
import { identity, openLogs } from "./probe.ts";

/** As an engine on a network: one member a call, many calls under way, a few of them one log's. */
export const NETWORK: Partial<KvLimits> = { groupMembers: 1, commitsInFlight: 50, commitsInFlightPerLog: 4 };

export function sharedKv(limits: Partial<KvLimits> = NETWORK): FaultyKv {
  const kv = new FaultyKv(undefined, limits);
  kv.shared = true;
  return kv;
}

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

/** Time that passes when a test says so. */
export class TurnedClock implements Clock {
  #nowMs = 0;
  #timers: Timer[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets `ms` pass in small steps, with time for what each step sets going. */
  async turn(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    while (this.#nowMs < endMs) {
      await settled();
      this.#nowMs = Math.min(this.#nowMs + 250, endMs);
      const due = this.#timers.filter((timer) => timer.dueMs <= this.#nowMs);
      this.#timers = this.#timers.filter((timer) => timer.dueMs > this.#nowMs);
      for (const { run } of due) run();
    }
    await settled();
  }
}

/** Enough turns of the event loop for what is under way in memory. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One process's way to the store: it can be stopped, so that its calls wait, those under way as well, and go on later. */
class Way implements Kv {
  readonly #kv: FaultyKv;
  #stopped: Promise<void> | null = null;
  #wake: () => void = () => undefined;

  constructor(kv: FaultyKv) {
    this.#kv = kv;
  }

  get name(): string {
    return this.#kv.name;
  }

  get limits(): KvLimits {
    return this.#kv.limits;
  }

  get shared(): boolean {
    return this.#kv.shared;
  }

  stop(): void {
    this.#stopped = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  goOn(): void {
    this.#stopped = null;
    this.#wake();
  }

  async get(key: Buffer): Promise<Buffer | null> {
    await this.#stopped;
    return this.#kv.get(key);
  }

  async range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows> {
    await this.#stopped;
    return this.#kv.range(from, to, options);
  }

  async commit(group: readonly Commit[]): Promise<CommitOutcome[]> {
    await this.#stopped;
    const outcome = await this.#kv.commit(group);
    await this.#stopped;
    return outcome;
  }

  stats(): Promise<Record<string, number | string>> {
    return this.#kv.stats();
  }

  close(): Promise<void> {
    return this.#kv.close();
  }
}

export interface Process {
  readonly logs: Logs;
  readonly clock: TurnedClock;
  readonly way: Way;
}

/** A process with a clock of its own, which stands still until it is turned: then it looks dead to the others. */
export async function startProcess(kv: FaultyKv, writer: Partial<WriterIdentity> & { readonly id: string }): Promise<Process> {
  const clock = new TurnedClock();
  const way = new Way(kv);
  return { logs: await openLogs(way, { writer: { ...identity, ...writer }, clock }), clock, way };
}

/** Lets the same time pass for several processes. */
export async function turnAll(processes: readonly Process[], ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 250) {
    await Promise.all(processes.map(({ clock }) => clock.turn(250)));
  }
}
