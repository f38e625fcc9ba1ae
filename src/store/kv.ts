// The ordered, transactional key-value interface every engine offers; the log's layout (src/store/layout) is written over it and nothing else.
import type { BlockSource } from "../native/ring-replay.ts";
import type { StoreError } from "./errors.ts";

/** A condition that must hold inside the commit's own transaction: `key` has exactly these bytes, or is absent (`null`). */
export interface Check {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/**
 * One change. A put's value may come as several pieces, which the engine joins; they must not change until the commit has ended. Of memory that an
 * assembler made (src/native/assembler.ts), which nobody ever writes again, an engine may keep a share instead of copying it.
 */
export type Write =
  | { readonly kind: "put"; readonly key: Buffer; readonly value: readonly Uint8Array[] }
  | { readonly kind: "delete"; readonly key: Buffer }
  /** Deletes every key `k` with `from <= k < to`. */
  | { readonly kind: "delete-range"; readonly from: Buffer; readonly to: Buffer };

/** Writes that become visible and durable together if all checks hold, and not at all if one does not. */
export interface Commit {
  readonly checks: readonly Check[];
  readonly writes: readonly Write[];
  /**
   * The key of a put whose bytes only this commit writes (or one that is as good). Engines that may lose an answer read it to learn whether the
   * commit took effect; without it, such a loss rejects.
   */
  readonly witness?: Buffer;
}

export type CommitOutcome = "committed" | "check-failed";

/**
 * Rows of a range read, packed so that native code can walk them: for each row u32 key bytes, u32 value bytes (little-endian), key, value,
 * without padding. `more` says that the range held further rows when the limits were reached.
 */
export interface Rows {
  readonly bytes: Buffer;
  readonly count: number;
  readonly more: boolean;
}

export interface RangeOptions {
  /** At most so many rows, at least 1; default no limit. */
  readonly limitRows?: number;
  /** Stop before a row that would take the packed rows above this; the first row always comes. Default 1 MiB. */
  readonly limitBytes?: number;
  /** From the greatest key down. */
  readonly reverse?: boolean;
  /**
   * Memory for the rows, so that a long walk need not allocate: where they fit, an engine may give them as a view of it. The caller leaves it
   * alone until the promise is settled.
   */
  readonly into?: Buffer;
}

export interface KvLimits {
  /** Greatest value of one put. */
  readonly valueBytes: number;
  /** Bytes (keys and values) that one commit should not exceed. */
  readonly commitBytes: number;
  /** How many calls of `commit` may be under way at once. */
  readonly commitsInFlight: number;
  /** How many of them may be one log's. */
  readonly commitsInFlightPerLog: number;
  /** How many members one call of `commit` may have. */
  readonly groupMembers: number;
}

/** An open store to which native code can give commits by itself (docs/lane.md). */
export interface LaneStore extends BlockSource {
  /** What the code and message of a native failure are to our callers. */
  errorOf(code: string, message: string): StoreError;
}

/**
 * An engine. Keys are 1 to 300 bytes, compared as unsigned bytes; bounds of ranges may also be empty. All methods reject with a `StoreError`
 * (errors.ts), or with a `RangeError` when the caller passes what is not allowed (a key or value of a wrong length): then nothing was done.
 * Methods may be called at any time from the thread that opened the engine; `commit` at most `limits.commitsInFlight` times at once.
 *
 * After `store-full` the same engine goes on as soon as there is room. After `store-failed` (a flush or write failed for another reason, so
 * that what the disk holds is not known) an engine with a disk refuses everything until it is opened again.
 */
export interface Kv {
  /** For people: "lmdb:/path", "memory". */
  readonly name: string;
  readonly limits: KvLimits;
  /** Other processes, on other machines too, may have it open at the same time: who may write is then decided by beats (src/log/beat). */
  readonly shared: boolean;
  /** Of an engine in this process whose rows native code can walk where they lie, as `range` would give them. */
  readonly blocks?: BlockSource;
  /** Of an engine in this process whose commits are made by a native thread, one after the other. */
  readonly lanes?: LaneStore;
  /** The value, or null. A private copy. */
  get(key: Buffer): Promise<Buffer | null>;
  /** Rows with `from <= key < to`, in key order (or its reverse), from one consistent snapshot. */
  range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows>;
  /**
   * Applies a group in the order given, each judged on its own: a failed check drops that commit alone, and later members see the writes of
   * earlier ones. Resolves only after everything committed is durable (flushed). When it rejects, nothing is known: any member may be
   * durable or not, and the caller resolves that by reading.
   */
  commit(group: readonly Commit[]): Promise<CommitOutcome[]>;
  /** Figures for people (`seguro status`): file size, pages, and what else the engine knows. */
  stats(): Promise<Record<string, number | string>>;
  /** Waits for commits under way, then closes. Later calls reject with `store-closed`. */
  close(): Promise<void>;
}
