// Dice from a seed, for everything in a simulation that might go one way or another.
import { Random } from "../crash/random.ts";

const UNIT = 1 << 30;

export class Chance {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Dice of their own for one part, so that what it throws does not depend on how often others throw. */
  fork(): Chance {
    return new Chance(this.#random.between(0, 0xffff_ffff));
  }

  /** From 0 up to, not including, 1. */
  unit(): number {
    return this.#random.between(0, UNIT - 1) / UNIT;
  }

  /** A whole number of `[least, greatest]`. */
  between(least: number, greatest: number): number {
    return this.#random.between(least, greatest);
  }

  /** True so often: 0 never, 1 always. */
  odds(probability: number): boolean {
    return probability > 0 && this.unit() < probability;
  }

  /** One of several; there is at least one. */
  pick<T>(among: readonly T[]): T {
    return among[this.between(0, among.length - 1)] as T;
  }

  /** About `mean`, mostly less, now and then several times as much. */
  around(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }
}
