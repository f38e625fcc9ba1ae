// The real clock: sessions get it passed in, so that tests can give them another.
import { performance } from "node:perf_hooks";

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
