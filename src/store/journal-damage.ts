// A journal store whose commit log is damaged: what is wrong and what can still be read of it, and ending it there (docs/journal.md, "Damage").
import path from "node:path";
import { addon } from "../native/addon.ts";
import { MAP_BYTES, storeErrorOf } from "./embedded.ts";
import { holderText } from "./holder.ts";

/** Bytes that are not what they have to be. Numbers are those of the commit log's records. */
export interface DamagedPlace {
  readonly file: string;
  /** In bytes. */
  readonly offset: number;
  readonly what: string;
  readonly firstLost: bigint;
  /** The greatest one that anything on the disk bears witness of; 0n where nothing does. */
  readonly lastLost: bigint;
}

/** A row that was put by a record behind the damage that is whole, and lost by a cut all the same. */
export interface LostRow {
  readonly key: Buffer;
  /** The value's beginning: enough for a block's header. */
  readonly head: Buffer;
}

export interface JournalDamage {
  readonly places: readonly DamagedPlace[];
  /** A cut ends the commit log behind this record. Up to there all is whole. */
  readonly lastKept: bigint;
  readonly wholeLostRecords: number;
  readonly lostRows: readonly LostRow[];
}

export interface CutOutcome {
  /** The folder with copies of everything that was left out. */
  readonly aside: string;
  readonly asideFiles: number;
}

export interface StoreRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

interface NativeOptions {
  readonly dir: string;
  readonly holder: string;
  readonly mapBytes: number;
  readonly segmentBytes: number;
}

const native = addon as {
  inspectJournal(options: NativeOptions): JournalDamage | null;
  cutJournal(options: NativeOptions, lastKept: bigint, rows: readonly StoreRow[]): CutOutcome;
};

function underLock<Result>(dir: string, startedAt: string, work: (options: NativeOptions) => Result): Result {
  const folder = path.resolve(dir);
  try {
    return work({ dir: folder, holder: holderText(startedAt), mapBytes: MAP_BYTES, segmentBytes: 0 });
  } catch (error) {
    throw storeErrorOf("journal", `journal:${folder}`, error);
  }
}

/** Looks at a store that nobody else has open and changes nothing; null if its commit log is whole. Throws StoreError as `openJournal` does. */
export function inspectJournal(dir: string, startedAt: string): JournalDamage | null {
  return underLock(dir, startedAt, (options) => native.inspectJournal(options));
}

/**
 * Ends the commit log behind `lastKept`, for good. Before that `rows` become part of the store, durably: a process that dies between the two leaves
 * the damage as it was, and the next try writes them again. Their keys must be such as nothing else ever puts or deletes, because what the kept
 * records say comes after them. Throws StoreError: `store-failed` if the damage is not what `inspectJournal` showed.
 */
export function cutJournal(dir: string, startedAt: string, lastKept: bigint, rows: readonly StoreRow[]): CutOutcome {
  return underLock(dir, startedAt, (options) => native.cutJournal(options, lastKept, rows));
}
