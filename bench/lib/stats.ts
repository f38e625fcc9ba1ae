// Medians and the figures of one measure, from its interleaved pairs.
import type { Measure, Pair } from "./measure.ts";

export interface Run extends Pair {
  readonly ratio: number;
}

/** One measure as it is written to the JSON file: medians, and every pair they come from. */
export interface Result {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly control: number;
  /** The median of the pairs' ratios, which is not the ratio of the medians: what disturbs a pair disturbs both of its halves. */
  readonly ratio: number;
  readonly runs: readonly Run[];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function resultOf(measure: Measure, pairs: readonly Pair[]): Result {
  const runs = pairs.map(({ value, control }) => ({ value, control, ratio: control === 0 ? 0 : value / control }));
  return {
    name: measure.name,
    unit: measure.unit,
    value: median(runs.map((run) => run.value)),
    control: median(runs.map((run) => run.control)),
    ratio: median(runs.map((run) => run.ratio)),
    runs,
  };
}

/** Whether the target is met; null where there is none. */
export function isMet({ target }: Measure, result: Result): boolean | null {
  if (target === null) {
    return null;
  }
  const reached = target.of === "ratio" ? result.ratio : result.value;
  return target.bound === "at most" ? reached <= target.limit : reached >= target.limit;
}
