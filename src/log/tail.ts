// Finds where a log ends: the contiguous blocks above the greatest floor, and what lies beyond a gap (docs/schema.md, "Recovery").
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { afterPrefix, keyRest, keys, type LogName } from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { type BlockHeader, decodeBlockHeader, lastIdOf, type Pair } from "./block.ts";
import { digestBefore } from "./digest.ts";
import { TAIL_BLOCKS_MAX } from "./limits.ts";

export interface Tail {
  /** First and last event; 0n for an empty log. */
  readonly base: bigint;
  readonly height: bigint;
  /** The newest pair found; digests are computed onward from here. */
  readonly pair: Pair;
  /** Blocks lie beyond a gap: leftovers of commits in flight when a writer died. They are cut by the next claim. */
  readonly cutFrom: bigint | null;
}

/** The id of the log's first event, or 0n. */
export async function findBase(kv: Kv, name: LogName): Promise<bigint> {
  const prefix = keys.blocks(name);
  const rows = await kv.range(prefix, afterPrefix(prefix), { limitRows: 1, limitBytes: 1 });
  for (const row of eachRow(rows)) {
    return keyRest(row.key).readBigUInt64BE(0);
  }
  return 0n;
}

/** Headers from the end backwards until one begins at or below the greatest floor seen plus one; ascending. */
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

/** Reads the end of a log; changes nothing. Throws `store-damaged` for a gap at or below a floor: that is damage, never cut. */
export async function findTail(kv: Kv, name: LogName): Promise<Tail> {
  const base = await findBase(kv, name);
  if (base === 0n) {
    return { base: 0n, height: 0n, pair: digestBefore(name.ship, 1n), cutFrom: null };
  }
  const headers = await readTailHeaders(kv, name);
  let floor = 0n;
  let height = 0n;
  let pair = digestBefore(name.ship, base);
  let cutFrom: bigint | null = null;
  for (const header of headers) {
    floor = header.floor > floor ? header.floor : floor;
  }
  for (const header of headers) {
    if (height !== 0n && header.firstId !== height + 1n) {
      cutFrom = header.firstId;
      break;
    }
    height = lastIdOf(header);
    pair = header.pair.id > pair.id ? header.pair : pair;
  }
  const first = headers[0]?.firstId ?? 0n;
  if (height < floor || first > (floor === 0n ? base : floor + 1n)) {
    throw new StoreError(
      "store-damaged",
      `events between ${height} and the acknowledged height ${floor} are missing`,
      "nothing was cut; restore the store from a backup",
    );
  }
  return { base, height, pair, cutFrom };
}
