// The embedded engine: stock LMDB 0.9 in a folder of its own, flushed with every commit. The work is done in native/addon/lmdb_*.
import os from "node:os";
import path from "node:path";
import { addon } from "../native/addon.ts";
import { StoreError, type StoreErrorCode } from "./errors.ts";
import type { Commit, CommitOutcome, Kv, KvLimits, RangeOptions, Rows } from "./kv.ts";
import { rangeOptions, requireBounds, requireGroup, requireKey } from "./misuse.ts";

export interface LmdbOptions {
  /** Opens for reading only: nothing is created or changed, and `commit` rejects with `store-readonly`. The lock is taken all the same. */
  readonly readOnly?: boolean;
  /** Makes the folder and the store if there is none; default true, except for reading. Without it a missing store is `store-missing`. */
  readonly create?: boolean;
  /** Address space for the store, and so its greatest size in bytes; less is taken where the system has less. Default 1 TiB. */
  readonly mapBytes?: number;
  /** Tells the next opener since when this one has the store; the caller's clock, as text. */
  readonly startedAt: string;
}

/** What the lock file says about the process that has the store. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly startedAt: string;
  readonly command: string;
}

interface NativeEnvironment {
  commit(operations: readonly (number | Uint8Array | null)[]): Promise<Buffer>;
  get(key: Uint8Array): Promise<Buffer | null>;
  /** `bytes` is null where the rows lie in `into`, and `size` says how long they are. */
  range(
    from: Uint8Array,
    to: Uint8Array,
    limitRows: number,
    limitBytes: number,
    reverse: boolean,
    into: Buffer | undefined,
  ): Promise<{ bytes: Buffer | null; size: number; count: number; more: boolean }>;
  figures(): Record<string, number>;
  close(): void;
}

interface NativeOptions {
  readonly dir: string;
  readonly holder: string;
  readonly mapBytes: number;
  readonly create: boolean;
  readonly readOnly: boolean;
}

const native = addon as { LmdbEnvironment: new (options: NativeOptions) => NativeEnvironment };
const oneTebibyte = 2 ** 40;
const NO_ROWS: Buffer = Buffer.alloc(0);

const hints: Record<StoreErrorCode, string> = {
  "store-full": "Make room on the disk of the store (or raise its quota); writing goes on by itself then.",
  "store-failed": "Look at the disk's health and the kernel's log, then restart the process that has the store open.",
  "store-damaged": "Do not write to it. Keep a copy of the folder, then restore from a backup or another copy of the log.",
  "store-readonly": "Give this user the right to write there, or mount the file system for writing.",
  "store-locked": "Stop that process, or talk to it through its socket.",
  "store-newer": "Install a newer Seguro.",
  "store-closed": "Open it again.",
  "store-missing": "Check the path; `seguro serve` creates a store where there is none.",
};

const writeKinds = { put: 0, delete: 1, "delete-range": 2 } as const;

function isStoreErrorCode(code: unknown): code is StoreErrorCode {
  return typeof code === "string" && Object.hasOwn(hints, code);
}

/** Who has the store, from the text in its lock file, which may be missing or cut short. */
function describeHolder(text: string): string {
  try {
    const holder = JSON.parse(text) as Partial<Holder>;
    return `process ${holder.pid} on ${holder.host} has had it open since ${holder.startedAt} (${holder.command})`;
  } catch {
    return "another process has it open";
  }
}

function storeErrorOf(name: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || !isStoreErrorCode(error.code)) return error;
  const what = error.code === "store-locked" ? describeHolder(error.message) : error.message;
  return new StoreError(error.code, `${name}: ${what}`, hints[error.code], error);
}

/** The group as one flat list, which native code reads in one walk: counts, kinds, keys, and the pieces of values where they lie. */
function flatten(group: readonly Commit[]): (number | Uint8Array | null)[] {
  const list: (number | Uint8Array | null)[] = [];
  for (const { checks, writes } of group) {
    list.push(checks.length, writes.length);
    for (const check of checks) list.push(check.key, check.value);
    for (const write of writes) {
      list.push(writeKinds[write.kind]);
      if (write.kind === "put") list.push(write.key, write.value.length, ...write.value);
      else if (write.kind === "delete") list.push(write.key);
      else list.push(write.from, write.to);
    }
  }
  return list;
}

/** A store in a folder: `data.mdb` and `lock.mdb` as stock LMDB tools read them, and `seguro.lock`. Made by `openLmdb`. */
export class LmdbKv implements Kv {
  readonly name: string;
  /**
   * One commit at a time, because LMDB has one writer; a group goes through in one flush however many members it has. A value occupies
   * consecutive pages, which get rare in a store whose values differ much in size, hence 8 MiB; and a commit's pages wait in memory.
   */
  readonly limits: KvLimits = { valueBytes: 8 * 1024 * 1024, commitBytes: 32 * 1024 * 1024, commitsInFlight: 1 };
  readonly #native: NativeEnvironment;
  #underWay = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(dir: string, options: Required<LmdbOptions>) {
    this.name = `lmdb:${dir}`;
    const holder: Holder = {
      pid: process.pid,
      host: os.hostname(),
      startedAt: options.startedAt,
      command: process.argv.slice(0, 3).join(" "),
    };
    const { mapBytes, create, readOnly } = options;
    try {
      this.#native = new native.LmdbEnvironment({ dir, holder: `${JSON.stringify(holder)}\n`, mapBytes, create, readOnly });
    } catch (error) {
      throw storeErrorOf(this.name, error);
    }
  }

  get(key: Buffer): Promise<Buffer | null> {
    return this.#call(() => {
      requireKey(key);
      return this.#native.get(key);
    });
  }

  range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows> {
    return this.#call(async () => {
      requireBounds(from, to);
      const { limitRows, limitBytes, reverse } = rangeOptions(options);
      const into = options?.into;
      const { bytes, size, count, more } = await this.#native.range(from, to, limitRows, limitBytes, reverse, into);
      return { bytes: bytes ?? into?.subarray(0, size) ?? NO_ROWS, count, more };
    });
  }

  async commit(group: readonly Commit[]): Promise<CommitOutcome[]> {
    const outcomes = await this.#call(() => {
      requireGroup(group, this.limits);
      return this.#native.commit(flatten(group));
    });
    return Array.from(outcomes, (outcome) => (outcome === 1 ? "committed" : "check-failed"));
  }

  stats(): Promise<Record<string, number | string>> {
    return this.#call(async () => this.#native.figures());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#native.close();
  }

  async #call<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new StoreError("store-closed", `${this.name}: the store is closed`, hints["store-closed"]);
    this.#underWay++;
    try {
      return await call();
    } catch (error) {
      throw storeErrorOf(this.name, error);
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#idle?.();
    }
  }
}

/**
 * Opens the LMDB store in a folder, with an exclusive lock that ends with the process.
 *
 * @throws StoreError `store-locked` (naming the holder), `store-missing`, `store-readonly`, `store-damaged`, `store-full`, `store-failed`.
 */
export function openLmdb(dir: string, options: LmdbOptions): LmdbKv {
  const { readOnly = false, mapBytes = oneTebibyte, startedAt } = options;
  const create = options.create ?? !readOnly;
  return new LmdbKv(path.resolve(dir), { readOnly, create: create && !readOnly, mapBytes, startedAt });
}
