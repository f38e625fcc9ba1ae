// The engine in memory: for tests, and for measuring what lies above a store. Nothing survives the process.
import { StoreError } from "./errors.ts";
import type { Commit, CommitOutcome, Kv, KvLimits, RangeOptions, Rows } from "./kv.ts";
import { rangeOptions, requireBounds, requireGroup, requireKey } from "./misuse.ts";
import { type Entry, SortedMap } from "./sorted-map.ts";
import { StoredValue } from "./stored-value.ts";

const rowHeaderBytes = 8;

function pack(entries: readonly Entry<StoredValue>[], size: number, into: Buffer | undefined): Buffer {
  const bytes = into !== undefined && size <= into.length ? into.subarray(0, size) : Buffer.allocUnsafe(size);
  let at = 0;
  for (const { key, value } of entries) {
    at = bytes.writeUInt32LE(key.length, at);
    at = bytes.writeUInt32LE(value.length, at);
    at += key.copy(bytes, at);
    at = value.copy(bytes, at);
  }
  return bytes;
}

/**
 * Keeps everything in a sorted map; events in the very memory that they came in, which outlives the caller's use of it. Each call acts at once, so that calls take effect in
 * the order in which they are made.
 */
export class MemoryKv implements Kv {
  readonly name = "memory";
  readonly limits: KvLimits = {
    valueBytes: 8 * 1024 * 1024,
    commitBytes: 32 * 1024 * 1024,
    commitsInFlight: 1,
    commitsInFlightPerLog: 1,
    groupMembers: Number.MAX_SAFE_INTEGER,
  };
  readonly shared = false;
  readonly #map = new SortedMap<StoredValue>();
  #closed = false;

  async get(key: Buffer): Promise<Buffer | null> {
    this.#requireOpen();
    requireKey(key);
    const value = this.#map.get(key);
    return value === undefined ? null : value.toBuffer();
  }

  async range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows> {
    this.#requireOpen();
    requireBounds(from, to);
    const { limitRows, limitBytes, reverse } = rangeOptions(options);
    const taken: Entry<StoredValue>[] = [];
    let size = 0;
    let more = false;
    for (const entry of reverse ? this.#map.descending(from, to) : this.#map.ascending(from, to)) {
      const rowBytes = rowHeaderBytes + entry.key.length + entry.value.length;
      more = taken.length === limitRows || (taken.length > 0 && size + rowBytes > limitBytes);
      if (more) break;
      taken.push(entry);
      size += rowBytes;
    }
    return { bytes: pack(taken, size, options?.into), count: taken.length, more };
  }

  async commit(group: readonly Commit[]): Promise<CommitOutcome[]> {
    this.#requireOpen();
    requireGroup(group, this.limits);
    return group.map((member) => {
      if (!this.#holds(member)) return "check-failed";
      this.#apply(member);
      return "committed";
    });
  }

  async stats(): Promise<Record<string, number | string>> {
    this.#requireOpen();
    return { entries: this.#map.size };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #requireOpen(): void {
    if (this.#closed) throw new StoreError("store-closed", "the store is closed", "Open it again.");
  }

  #holds(member: Commit): boolean {
    return member.checks.every(({ key, value }) => {
      const found = this.#map.get(key);
      return value === null ? found === undefined : found?.equals(value) === true;
    });
  }

  #apply(member: Commit): void {
    for (const write of member.writes) {
      if (write.kind === "put") {
        const replaced = this.#map.get(write.key);
        this.#map.set(Buffer.from(write.key), new StoredValue(write.value));
        replaced?.drop();
      } else if (write.kind === "delete") {
        this.#map.get(write.key)?.drop();
        this.#map.delete(write.key);
      } else {
        for (const { value } of this.#map.ascending(write.from, write.to)) value.drop();
        this.#map.deleteRange(write.from, write.to);
      }
    }
  }
}
