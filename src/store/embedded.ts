// What the embedded engines that keep a folder have in common: calls into native/addon/kv_environment, and the errors that come out of it.
import { addon } from "../native/addon.ts";
import type { BlockSource } from "../native/ring-replay.ts";
import { StoreError, type StoreErrorCode } from "./errors.ts";
import { describeHolder, holderText } from "./holder.ts";
import type { Commit, CommitOutcome, Kv, KvLimits, LaneStore, RangeOptions, Rows } from "./kv.ts";
import { rangeOptions, requireBounds, requireGroup, requireKey } from "./misuse.ts";
import { flatten } from "./operations.ts";

export interface EmbeddedOptions {
  /** Opens for reading only: nothing is created or changed, and `commit` rejects with `store-readonly`. The lock is taken all the same. */
  readonly readOnly?: boolean;
  /** Makes the folder and the store if there is none; default true, except for reading. Without it a missing store is `store-missing`. */
  readonly create?: boolean;
  /** Address space for LMDB's map, and so its greatest size in bytes; less is taken where the system has less. Default 1 TiB. */
  readonly mapBytes?: number;
  /** Tells the next opener since when this one has the store; the caller's clock, as text. */
  readonly startedAt: string;
}

/** What only the journal has; see `JournalOptions`. */
export interface JournalSettings {
  readonly overlayBytes: number;
  readonly segmentBytes: number;
  readonly beforeDamage: boolean;
  readonly shipFileBytes: number;
}

/** What differs from engine to engine. */
export interface EmbeddedTraits {
  readonly limits: KvLimits;
  readonly settings?: JournalSettings;
  /** Native code may give it commits by itself. */
  readonly lanes?: boolean;
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

/** The engines that native/addon/kv_environment.cc knows. */
export type EmbeddedEngine = "journal" | "lmdb";

interface NativeOptions {
  readonly engine: EmbeddedEngine;
  readonly dir: string;
  readonly holder: string;
  readonly mapBytes: number;
  readonly create: boolean;
  readonly readOnly: boolean;
  readonly overlayBytes: number;
  readonly segmentBytes: number;
  readonly beforeDamage: boolean;
  readonly shipFileBytes: number;
}

const native = addon as { KvEnvironment: new (options: NativeOptions) => NativeEnvironment };
/** Address space, where nobody says how much. */
export const MAP_BYTES = 2 ** 40;
const NO_ROWS: Buffer = Buffer.alloc(0);
const NO_JOURNAL: JournalSettings = { overlayBytes: 0, segmentBytes: 0, shipFileBytes: 0, beforeDamage: false };

const hints: Record<StoreErrorCode, string> = {
  "store-full": "Make room on the disk of the store (or raise its quota); writing goes on by itself then.",
  "store-failed": "Look at the disk's health and the kernel's log, then restart the process that has the store open.",
  "store-damaged": "Do not write to it. Keep a copy of the folder, then restore from a backup or another copy of the log.",
  "store-readonly": "Give this user the right to write there, or mount the file system for writing.",
  "store-locked": "Stop that process, or talk to it through its socket.",
  "store-newer": "Install a newer Seguro.",
  "store-older": "Nothing was changed. Move its ships to a new store with the Seguro that wrote it.",
  "store-closed": "Open it again.",
  "store-missing": "Check the path; `seguro serve` creates a store where there is none.",
};

function isStoreErrorCode(code: unknown): code is StoreErrorCode {
  return typeof code === "string" && Object.hasOwn(hints, code);
}

function hintOf(engine: EmbeddedEngine, name: string, code: StoreErrorCode): string {
  return engine === "journal" && code === "store-damaged"
    ? `Do not write to it, and keep a copy of the folder. \`seguro repair ${name}\` says what is damaged and what going on without it would lose; it changes nothing.`
    : hints[code];
}

/** The StoreError that an error of the addon means; any other error as it is. */
export function storeErrorOf(engine: EmbeddedEngine, name: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || !isStoreErrorCode(error.code)) return error;
  const what = error.code === "store-locked" ? describeHolder(error.message) : error.message;
  return new StoreError(error.code, `${name}: ${what}`, hintOf(engine, name, error.code), error);
}

function laneErrorOf(engine: EmbeddedEngine, name: string, code: string, message: string): StoreError {
  const known = isStoreErrorCode(code) ? code : "store-failed";
  return new StoreError(known, `${name}: ${message}`, hintOf(engine, name, known));
}

/** A store in a folder of its own, used by one process at a time. */
export class EmbeddedKv implements Kv {
  readonly name: string;
  readonly limits: KvLimits;
  readonly shared = false;
  readonly blocks: BlockSource;
  readonly lanes?: LaneStore;
  readonly #engine: EmbeddedEngine;
  readonly #native: NativeEnvironment;
  #underWay = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  /**
   * @throws StoreError `store-locked` (naming the holder), `store-missing`, `store-readonly`, `store-damaged`, `store-newer`, `store-older`,
   * `store-full`, `store-failed`.
   */
  constructor(engine: EmbeddedEngine, dir: string, traits: EmbeddedTraits, options: EmbeddedOptions) {
    const { limits, settings = NO_JOURNAL, lanes = false } = traits;
    const { readOnly = false, mapBytes = MAP_BYTES, startedAt } = options;
    const create = (options.create ?? true) && !readOnly;
    this.name = `${engine}:${dir}`;
    this.limits = limits;
    this.#engine = engine;
    try {
      this.#native = new native.KvEnvironment({ engine, dir, holder: holderText(startedAt), mapBytes, create, readOnly, ...settings });
      this.blocks = { environment: this.#native };
      if (lanes) {
        this.lanes = { environment: this.#native, errorOf: (code, message) => laneErrorOf(engine, this.name, code, message) };
      }
    } catch (error) {
      throw storeErrorOf(this.#engine, this.name, error);
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
      throw storeErrorOf(this.#engine, this.name, error);
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#idle?.();
    }
  }
}
