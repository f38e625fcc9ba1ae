// What only benchmarks may switch off in a sidecar, through the environment (bench/README.md): refused unless nothing is kept anyway.
import { usageError } from "./failure.ts";

const VARIABLE = "SEGURO_BENCH";

export interface BenchSwitches {
  /** False: no digests are computed. */
  readonly digests: boolean;
  /** True: blocks are thrown away once they are committed. */
  readonly discards: boolean;
}

/** Reads `SEGURO_BENCH`: unset, `no-digests`, or `no-digests,discard`. */
export function benchSwitches(environment: NodeJS.ProcessEnv, storeUrl: string): BenchSwitches {
  const text = environment[VARIABLE] ?? "";
  if (text === "") {
    return { digests: true, discards: false };
  }
  if (storeUrl !== "memory:") {
    throw usageError(`${VARIABLE} is set, and the store is not memory:`, "it is for benchmarks alone; unset it");
  }
  if (text !== "no-digests" && text !== "no-digests,discard") {
    throw usageError(`${VARIABLE} is "${text}"`, 'it may be "no-digests" or "no-digests,discard"');
  }
  return { digests: false, discards: text.endsWith("discard") };
}
