// What a measure is: a name, its units and target, and how one interleaved series of pairs is taken.
import type { Workplace } from "./workplace.ts";

/** One run of the subject and, right beside it, one of its control, in the measure's unit. */
export interface Pair {
  readonly value: number;
  readonly control: number;
}

export interface Target {
  /** The ratio to the control, or the value itself. */
  readonly of: "ratio" | "value";
  readonly bound: "at most" | "at least";
  readonly limit: number;
}

export interface Measure {
  readonly name: string;
  readonly unit: string;
  /** What is measured, and against what: one line each, for people. */
  readonly subject: string;
  readonly controlledBy: string;
  /** Null for what is only watched. */
  readonly target: Target | null;
  /** Why it cannot be taken on this machine, or null. */
  readonly skip?: () => string | null;
  run(workplace: Workplace): Promise<Pair[]>;
}

/** Takes `count` pairs one after the other, subject and control in turns; which of the two comes first changes from pair to pair. */
export async function interleave(count: number, subject: () => Promise<number>, control: () => Promise<number>): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let i = 0; i < count; i++) {
    if (i % 2 === 0) {
      const value = await subject();
      pairs.push({ value, control: await control() });
    } else {
      const before = await control();
      pairs.push({ value: await subject(), control: before });
    }
  }
  return pairs;
}
