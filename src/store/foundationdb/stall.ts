// Calls under way, and when to say that one waits: FoundationDB's client never gives up by itself, so a person has to be told.
import type { Time } from "./time.ts";

/** Told about calls that wait. */
export interface StallReport {
  /** The oldest call has waited for so long; said after 1, 10 and 60 s, and each further 60 s. */
  onStall?(seconds: number, what: string): void;
  /** No call waits for a second or longer any more. */
  onResume?(): void;
}

export interface Call {
  readonly what: string;
  readonly sinceMs: number;
  /** Why it has to wait, as far as is known. */
  reason: string | null;
}

const STALL_MS = 1000;
const TICK_MS = 500;
const MINUTE_SECONDS = 60;

function secondsAfter(seconds: number): number {
  return seconds === 1 ? 10 : seconds === 10 ? MINUTE_SECONDS : seconds + MINUTE_SECONDS;
}

export class StallWatch {
  readonly #time: Time;
  readonly #report: StallReport;
  readonly #signal: AbortSignal;
  /** In the order in which they began. */
  readonly #calls = new Set<Call>();
  /** When to speak next. */
  #next = 1;
  #ticking = false;
  #idle: (() => void)[] = [];

  /** `signal` ends the watching, so that no timer outlives the engine. */
  constructor(time: Time, report: StallReport, signal: AbortSignal) {
    this.#time = time;
    this.#report = report;
    this.#signal = signal;
  }

  get underWay(): number {
    return this.#calls.size;
  }

  /** The oldest call under way, and for how long it has been. */
  oldest(): { readonly call: Call; readonly ms: number } | null {
    for (const call of this.#calls) return { call, ms: this.#time.nowMs() - call.sinceMs };
    return null;
  }

  begin(what: string): Call {
    const call: Call = { what, sinceMs: this.#time.nowMs(), reason: null };
    this.#calls.add(call);
    if (!this.#ticking) void this.#tick();
    return call;
  }

  end(call: Call): void {
    this.#calls.delete(call);
    if (this.#next > 1 && !this.#signal.aborted && (this.oldest()?.ms ?? 0) < STALL_MS) {
      this.#next = 1;
      this.#report.onResume?.();
    }
    if (this.#calls.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when no call is under way. */
  async untilIdle(): Promise<void> {
    if (this.#calls.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #tick(): Promise<void> {
    this.#ticking = true;
    while (this.#calls.size > 0 && !this.#signal.aborted) {
      await this.#time.sleep(TICK_MS, this.#signal);
      const oldest = this.oldest();
      if (oldest !== null && oldest.ms >= this.#next * STALL_MS) this.#say(oldest.call);
    }
    this.#ticking = false;
  }

  #say(call: Call): void {
    this.#report.onStall?.(this.#next, call.reason === null ? call.what : `${call.what}; the last answer was: ${call.reason}`);
    this.#next = secondsAfter(this.#next);
  }
}
