// The real clock: sessions get it passed in, so that tests can give them another.
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

export interface SystemClock {
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
  /** Calls `run` after `delayMs`; the answer cancels it. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: SystemClock = {
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** What an engine on a network waits and guesses with; see src/store/foundationdb/time.ts. */
export const systemTime = {
  nowMs: (): number => performance.now(),
  /** Ends early, without an error, when `signal` is aborted. Keeps the process alive. */
  sleep: async (ms: number, signal?: AbortSignal): Promise<void> => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  },
  random: (): number => Math.random(),
};
