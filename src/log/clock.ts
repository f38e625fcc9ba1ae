// Time as logs see it: passed in, so that waiting can be tested without waiting.

export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
  /** Calls `run` after `delayMs`; the answer cancels it. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

/** Resolves after `delayMs`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}

/** Whether `work` has ended, well or badly, before `delayMs` have passed. */
export function endsWithin(clock: Clock, delayMs: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(delayMs, () => resolve(false));
    const ended = (): void => {
      cancel();
      resolve(true);
    };
    work.then(ended, ended);
  });
}
