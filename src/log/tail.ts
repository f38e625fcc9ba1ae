// Finds where a log begins and ends: its first block, the contiguous ones above the greatest floor, and what lies beyond a gap (docs/schema.md, "Recovery").
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { afterPrefix, keyRest, keys, type LogName } from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { type BlockHeader, decodeBlockHeader, lastIdOf, type Pair } from "./block.ts";
import { requireUncut } from "./cut.ts";
import { digestBefore } from "./digest.ts";
import { logDamaged } from "./errors.ts";
import { TAIL_BLOCKS_MAX } from "./limits.ts";
import { readDigest, readState } from "./log-records.ts";

export interface Tail {
  /** First and last event; 0n for an empty log. */
  readonly base: bigint;
  readonly height: bigint;
  /** The newest pair found; digests are computed onward from here. */
  readonly pair: Pair;
  /** Blocks lie beyond a gap: leftovers of commits in flight when a writer died. They are cut by the next claim. */
  readonly cutFrom: bigint | null;
}

async function firstBlock(kv: Kv, name: LogName): Promise<{ id: bigint; value: Buffer } | null> {
  const prefix = keys.blocks(name);
  const rows = await kv.range(prefix, afterPrefix(prefix), { limitRows: 1, limitBytes: 1 });
  for (const row of eachRow(rows)) {
    return { id: keyRest(row.key).readBigUInt64BE(0), value: row.value };
  }
  return null;
}

/** The first event there is, or 0n; whether it is the log's first is not asked. */
export async function findBase(kv: Kv, name: LogName): Promise<bigint> {
  return (await firstBlock(kv, name))?.id ?? 0n;
}

/**
 * The log's first event, or 0n while it has none. A first block carries the digest before its own first event, d(base - 1) as it is made for a base;
 * that of any later block is made of the events before it. So one that does not carry it has lost those: throws `store-damaged`.
 */
export async function findBeginning(kv: Kv, name: LogName): Promise<bigint> {
  const first = await firstBlock(kv, name);
  if (first === null) {
    return 0n;
  }
  const { firstId, floor, pair } = decodeBlockHeader(first.value);
  if (firstId !== first.id || pair.id !== firstId - 1n || !pair.digest.equals(digestBefore(name.ship, firstId).digest)) {
    const acknowledged = floor > 0n ? `, of which those up to ${floor} were acknowledged by then` : "";
    throw logDamaged(name, `the events before ${first.id} are missing${acknowledged}: the block there is not the log's first`);
  }
  return firstId;
}

/**
 * Headers from the end backwards until one begins at or below the greatest floor seen plus one; ascending.
 *
 * Each is read by itself, so in a shared store what comes later in the walk is newer. That is enough: what a floor covers is never replaced, so
 * it is there for every later read; only blocks above all floors may come and go meanwhile.
 */
async function readTailHeaders(kv: Kv, name: LogName): Promise<BlockHeader[]> {
  const prefix = keys.blocks(name);
  const found: BlockHeader[] = [];
  let floor = 0n;
  let to = afterPrefix(prefix);
  while (found.length < TAIL_BLOCKS_MAX) {
    const rows = await kv.range(prefix, to, { limitRows: 1, reverse: true, limitBytes: 1 });
    if (rows.count === 0) {
      return found;
    }
    for (const row of eachRow(rows)) {
      const header = decodeBlockHeader(row.value);
      if (keyRest(row.key).readBigUInt64BE(0) !== header.firstId) {
        throw new StoreError("store-damaged", `the block at event ${header.firstId} lies under another key`, "run `seguro verify`");
      }
      found.unshift(header);
      floor = header.floor > floor ? header.floor : floor;
      to = Buffer.from(row.key);
      if (header.firstId <= floor + 1n) {
        return found;
      }
    }
  }
  throw new StoreError("store-damaged", `more than ${TAIL_BLOCKS_MAX} blocks above the floor`, "run `seguro verify`");
}

function emptyTail(name: LogName): Tail {
  return { base: 0n, height: 0n, pair: digestBefore(name.ship, 1n), cutFrom: null };
}

/** Reads the ends of a log; changes nothing. Throws `store-damaged` for a gap at or below a floor (that is damage, never cut), and for a
 * log that a cut of the store's commit log may have shortened. */
export async function findTail(kv: Kv, name: LogName): Promise<Tail> {
  try {
    return await readTail(kv, name);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "store-damaged") {
      throw error;
    }
    // What is being forgotten loses its beginning first.
    const state = await readState(kv, name);
    if (state === "forgetting") {
      return emptyTail(name);
    }
    if (state === null) {
      return readTail(kv, name);
    }
    throw error;
  }
}

async function readTail(kv: Kv, name: LogName): Promise<Tail> {
  await requireUncut(kv, name);
  // Before the blocks: what it says was acknowledged is there for every later read.
  const recorded = await readDigest(kv, name);
  const base = await findBeginning(kv, name);
  const headers = base === 0n ? [] : await readTailHeaders(kv, name);
  if (headers.length === 0) {
    if (recorded !== null) {
      throw logDamaged(name, `all of its events are missing, and those up to ${recorded.id} were acknowledged`);
    }
    return emptyTail(name);
  }
  let floor = 0n;
  let height = 0n;
  let epoch = 0n;
  let pair = digestBefore(name.ship, base);
  let cutFrom: bigint | null = null;
  for (const header of headers) {
    floor = header.floor > floor ? header.floor : floor;
  }
  for (const header of headers) {
    // Epochs never fall along a log. A block of an earlier one behind a later one's was beyond a gap when the later one claimed: it is cut, or
    // about to be, and a reader without a claim came just between.
    if (height !== 0n && (header.firstId !== height + 1n || header.epoch < epoch)) {
      cutFrom = header.firstId;
      break;
    }
    height = lastIdOf(header);
    epoch = header.epoch;
    pair = header.pair.id > pair.id ? header.pair : pair;
  }
  const first = headers[0]?.firstId ?? 0n;
  const acknowledged = recorded !== null && recorded.id > floor ? recorded.id : floor;
  if (height < acknowledged || first > (floor === 0n ? base : floor + 1n)) {
    throw logDamaged(name, `events between ${height} and the acknowledged height ${acknowledged} are missing`);
  }
  return { base, height, pair: recorded !== null && recorded.id > pair.id ? recorded : pair, cutFrom };
}
