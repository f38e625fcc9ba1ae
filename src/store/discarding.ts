// A store for benchmarks that keeps everything except events: what lies above a store, without what keeping costs.
import type { Commit, CommitOutcome, Kv, KvLimits, RangeOptions, Rows } from "./kv.ts";
import { isBlockKey } from "./layout.ts";

/** Says yes to every block and throws it away; everything else goes to the engine. A log's events cannot be read back. */
export class DiscardingKv implements Kv {
  readonly #kv: Kv;

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  get name(): string {
    return `${this.#kv.name}, discarding events`;
  }

  get limits(): KvLimits {
    return this.#kv.limits;
  }

  get shared(): boolean {
    return this.#kv.shared;
  }

  get(key: Buffer): Promise<Buffer | null> {
    return this.#kv.get(key);
  }

  range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows> {
    return this.#kv.range(from, to, options);
  }

  commit(group: readonly Commit[]): Promise<CommitOutcome[]> {
    return this.#kv.commit(
      group.map(({ checks, writes }) => ({ checks, writes: writes.filter((write) => write.kind !== "put" || !isBlockKey(write.key)) })),
    );
  }

  stats(): Promise<Record<string, number | string>> {
    return this.#kv.stats();
  }

  close(): Promise<void> {
    return this.#kv.close();
  }
}
