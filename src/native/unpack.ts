// Unpacks the blocks of a range read into one checked record stream, on a worker thread (native/addon/core_unpack.h).
import { addon } from "./addon.ts";

export interface UnpackOptions {
  /** The ship's number, 16 bytes, little-endian. */
  readonly shipBytes: Buffer;
  /** 1 real, 2 fake. */
  readonly kind: number;
  readonly log: number;
  /** Records before it are checked and dropped. */
  readonly fromId: bigint;
  /** The last event to give: the height. Later records of the same block are checked and dropped, later blocks not looked at. */
  readonly throughId: bigint;
  /** What the first block must not begin above, to find a gap between calls; 0n: any. */
  readonly nextId: bigint;
}

export interface Unpacked {
  /** 0n when nothing was found. */
  readonly firstId: bigint;
  readonly lastId: bigint;
  readonly count: number;
  /** The record stream: a view of a part of `rows`. */
  readonly bytes: Buffer;
  /**
   * Why it ended: all rows were used or `throughId` was reached; a manifest block is next; the next block begins above where the one before
   * ends; a check failed. What precedes is given in any case.
   */
  readonly stop: "end" | "manifest" | "gap" | "damaged";
  /** First id of the block or event it stopped at. 0n at the end. For a header that cannot be read: the id it should have begun with, or 0n. */
  readonly stopId: bigint;
  /** For a gap or damage: which check, without any payload bytes. */
  readonly reason: string;
  /** When stopped at a manifest: a copy of its header, 136 bytes. */
  readonly manifest: Buffer | null;
}

interface NativeUnpacked {
  readonly firstId: bigint;
  readonly lastId: bigint;
  readonly count: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly stop: number;
  readonly stopId: bigint;
  readonly reason: string;
  readonly manifest: Buffer | null;
}

type NativeUnpack = (
  rows: Buffer,
  shipBytes: Buffer,
  kind: number,
  log: number,
  fromId: bigint,
  throughId: bigint,
  nextId: bigint,
) => Promise<NativeUnpacked>;

const native = (addon as { unpackBlocks: NativeUnpack }).unpackBlocks;

/** By the numbers of native/addon/core_unpack.h. */
const STOPS = ["end", "manifest", "gap", "damaged"] as const;

/**
 * Takes packed rows (`Rows` of src/store/kv.ts) whose values are blocks in ascending order of first id. `rows` must be the caller's alone: it
 * is overwritten, and must not be touched before the promise is settled. Rejects only when `shipBytes` has the wrong size.
 */
export async function unpackBlocks(rows: Buffer, options: UnpackOptions): Promise<Unpacked> {
  const { shipBytes, kind, log, fromId, throughId, nextId } = options;
  const found = await native(rows, shipBytes, kind, log, fromId, throughId, nextId);
  return {
    firstId: found.firstId,
    lastId: found.lastId,
    count: found.count,
    bytes: rows.subarray(found.startBytes, found.startBytes + found.sizeBytes),
    stop: STOPS[found.stop] ?? "damaged",
    stopId: found.stopId,
    reason: found.reason,
    manifest: found.manifest,
  };
}
