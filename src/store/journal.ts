// The embedded engine above a commit log in prewritten segments: one flush a commit. The work is done in native/addon/journal_* and native/journal.
import path from "node:path";
import { EmbeddedKv, type EmbeddedOptions } from "./embedded.ts";
import type { Kv, KvLimits } from "./kv.ts";

export interface JournalOptions extends EmbeddedOptions {
  /**
   * Memory that commits take before they begin to go into the base; at most four times as much is held (docs/journal-engine.md), and what one
   * commit of more than that needs. Default 32 MiB.
   */
  readonly overlayBytes?: number;
  /** Size of new segments of the log, a multiple of 4096; a record takes at most three quarters of it. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** With `readOnly`: where the commit log is damaged, what lies before the damage is shown, as it was at some earlier moment. */
  readonly beforeDamage?: boolean;
  /** False where no session shall have a lane (docs/lane.md), for tests and measurements that compare. Default true. */
  readonly lanes?: boolean;
  /** A ship file that would grow beyond this is not gone on with; another one is begun. Default 256 MiB. */
  readonly shipFileBytes?: number;
}

const defaultOverlayBytes = 32 * 1024 * 1024;

/** One commit at a time, because the log has one writer; what comes meanwhile is the next group, and shares its flush. */
const limits: KvLimits = {
  valueBytes: 8 * 1024 * 1024,
  commitBytes: 32 * 1024 * 1024,
  commitsInFlight: 1,
  commitsInFlightPerLog: 1,
  groupMembers: Number.MAX_SAFE_INTEGER,
};

/**
 * Opens the journal store in a folder (`segments`, `base`, `ships`, and `seguro.lock`), with an exclusive lock that ends with the process.
 *
 * @throws StoreError as `EmbeddedKv` does, and `store-older` for a folder that was written before there were ship files.
 */
export function openJournal(dir: string, options: JournalOptions): Kv {
  const { overlayBytes = defaultOverlayBytes, segmentBytes = 0, shipFileBytes = 0, beforeDamage = false, lanes = true } = options;
  const settings = { overlayBytes, segmentBytes, shipFileBytes, beforeDamage };
  return new EmbeddedKv("journal", path.resolve(dir), { limits, settings, lanes }, options);
}
