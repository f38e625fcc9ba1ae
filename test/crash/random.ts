// Numbers from a seed, the same on every machine.

const step = 0x9e3779b9;

/** A small generator (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number of `[least, greatest]`. */
  between(least: number, greatest: number): number {
    this.#state = (this.#state + step) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    const unit = ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
    return least + Math.floor(unit * (greatest - least + 1));
  }
}
