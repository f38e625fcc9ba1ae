// The writes that make a log known: part of the first commit under a claim, before which nothing else of that log may become durable.
import type { Write } from "../store/kv.ts";

/**
 * Where an engine takes one commit after the other, the order of giving them is enough. Where several are under way at once, another one could
 * land without the first, and what it holds would belong to a log that nobody knows: then everything waits for the first.
 */
export class Creation {
  #writes: readonly Write[];
  readonly #ordered: boolean;
  #carried = false;
  #waiters: (() => void)[] = [];

  /** `ordered`: the engine has one commit under way at a time. */
  constructor(writes: readonly Write[], ordered: boolean) {
    this.#writes = writes;
    this.#ordered = ordered;
  }

  /** A commit that carries the writes is under way: nothing else may be until it has ended. */
  get pending(): boolean {
    return this.#carried && !this.#ordered;
  }

  /** The writes, for the first who asks; the commit that carries them must be followed by `settled`. Only while not `pending`. */
  take(): readonly Write[] {
    const writes = this.#writes;
    this.#writes = [];
    this.#carried = writes.length > 0;
    return writes;
  }

  /** The commit that may have carried the writes has ended; when it ended badly, its writer has failed and commits nothing more. */
  settled(): void {
    if (this.#carried) {
      this.#carried = false;
      for (const wake of this.#waiters.splice(0)) {
        wake();
      }
    }
  }

  /** Resolves while nothing is `pending`. */
  async ready(): Promise<void> {
    while (this.pending) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }
}
