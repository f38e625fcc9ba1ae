// Runs one world and judges it: the entry for tests, also from a tree in which something was changed (tree.ts).
import "./native-turns.ts";
import { check } from "./checker.ts";
import { type Entry, lineOf } from "./history.ts";
import { planOf, World } from "./world.ts";
import { WRAPS } from "./wraps.ts";

export interface Verdict {
  readonly wrong: readonly string[];
  readonly entries: readonly Entry[];
  readonly events: number;
  /** What happened to commits, and how often. */
  readonly counts: ReadonlyMap<string, number>;
}

/** `wrap` names a deliberate fault (wraps.ts). */
export async function runSeed(seed: number, wrap?: keyof typeof WRAPS): Promise<Verdict> {
  const world = new World(planOf(seed), wrap === undefined ? {} : WRAPS[wrap]);
  const { entries, finals, stuck, events, counts } = await world.run();
  const wrong = stuck === null ? check(entries, finals) : [stuck];
  return { wrong, entries, events, counts };
}

/** The whole history as text: two runs of a seed give the same one. */
export function textOf({ entries }: Verdict): string {
  return entries.map(lineOf).join("\n");
}
