// Which seeds a test runs: as many as fit into its time and no fewer than it needs, or so many (SEGURO_SEEDS), or a single one (SEGURO_SEED).
import { randomInt } from "node:crypto";
import { performance } from "node:perf_hooks";

const one = process.env.SEGURO_SEED;
const many = process.env.SEGURO_SEEDS;

/** New seeds with every process, so that time finds what one run of them does not; a failure says which it was. Process ids repeat in containers. */
export const firstSeed = one === undefined ? randomInt(1, 1_000_000_000) : Number(one);

/** Which worlds a test runs when the environment says nothing of it. */
export interface Budget {
  /** For so long, */
  readonly timeMs: number;
  /** and longer, where there were not so many yet: a slow machine takes its time instead of seeing less. */
  readonly least: number;
}

/** Seeds from `firstSeed` on. What the environment says goes first. */
export function* seedsFor({ timeMs, least }: Budget): Generator<number> {
  if (one !== undefined) {
    yield firstSeed;
    return;
  }
  const endMs = performance.now() + timeMs;
  for (let i = 0; many === undefined ? i < least || performance.now() < endMs : i < Number(many); i++) {
    yield firstSeed + i;
  }
}

/** The command that runs one seed of a test file again. */
export function repeatText(file: string, seed: number): string {
  return `SEGURO_SEED=${seed} npx tap ${file}`;
}
