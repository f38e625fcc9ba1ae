// An engine whose commits and reads go wrong as a test says: errors with an unknown outcome, delays, changed bytes.
import type { StoreError } from "../../src/store/errors.ts";
import type { Commit, CommitOutcome, Kv, KvLimits, RangeOptions, Rows } from "../../src/store/kv.ts";
import { MemoryKv } from "../../src/store/memory.ts";

/** What becomes of a commit: done; or an error, after it was applied or without. */
export type Fate = "done" | { readonly error: Error | StoreError; readonly applied: boolean };

export class FaultyKv implements Kv {
  readonly name: string = "faulty";
  readonly limits: KvLimits;
  shared = false;
  readonly inner: Kv;
  /** Decides about the next group; may take its time. */
  fate: (group: readonly Commit[]) => Fate | Promise<Fate> = () => "done";
  /** Looks at every read, and may throw. */
  onRead: () => void = () => undefined;
  commits = 0;
  closed = false;

  constructor(inner: Kv = new MemoryKv(), limits: Partial<KvLimits> = {}) {
    this.inner = inner;
    this.limits = { ...inner.limits, ...limits };
  }

  async get(key: Buffer): Promise<Buffer | null> {
    this.onRead();
    return this.inner.get(key);
  }

  async range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows> {
    this.onRead();
    return this.inner.range(from, to, options);
  }

  async commit(group: readonly Commit[]): Promise<CommitOutcome[]> {
    this.commits++;
    const fate = await this.fate(group);
    if (fate === "done") {
      return this.inner.commit(group);
    }
    if (fate.applied) {
      await this.inner.commit(group);
    }
    throw fate.error;
  }

  /** Writes past everybody. */
  async put(key: Buffer, value: Buffer): Promise<void> {
    await this.inner.commit([{ checks: [], writes: [{ kind: "put", key, value: [value] }] }]);
  }

  async delete(key: Buffer): Promise<void> {
    await this.inner.commit([{ checks: [], writes: [{ kind: "delete", key }] }]);
  }

  stats(): Promise<Record<string, number | string>> {
    return this.inner.stats();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.inner.close();
  }
}
