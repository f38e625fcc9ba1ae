// The clock, the timers and the dice that the engine is given, so that it can be simulated.

export interface Time {
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
  /** Resolves after so long, or at once when `signal` is aborted. Keeps the process alive meanwhile. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** From 0 to below 1. */
  random(): number;
}
