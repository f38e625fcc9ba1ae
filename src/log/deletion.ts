// Deleting what a log holds, a stretch of keys at a time: without reading more than the first row of each, and without long commits.
import { StoreError } from "../store/errors.ts";
import type { Kv, Write } from "../store/kv.ts";
import { afterPrefix, keys, type LogName } from "../store/layout.ts";
import { eachRow, type Row } from "../store/rows.ts";
import { FILE_PIECE_BYTES } from "../wire/constants.ts";
import { decodeBlockHeader } from "./block.ts";
import { PIECE_BYTES } from "./limits.ts";

/**
 * What one commit deletes, about: so that other ships' commits are not held up for long where an engine takes one after the other. Of blocks it is
 * reckoned from a stretch's first one, as if the others were like it.
 */
const STRETCH_BYTES = 64 * 1024 * 1024;
const STRETCH_ROWS = 1024;
/**
 * Where the others are not like it, this is what is known of them: each has an event at least. So no stretch has more rows, and a log whose blocks
 * are of so many events each costs a commit a block.
 */
const STRETCH_EVENTS_MAX = 4096;
/** One number further in a key is the greatest there can be. */
const U64_MAX = 2n ** 64n - 1n;
const U32_MAX = 2 ** 32 - 1;

/** How many rows of so many bytes make a stretch. */
function rowsOf(lengthBytes: number): number {
  return Math.min(STRETCH_ROWS, Math.max(1, Math.floor(STRETCH_BYTES / Math.max(1, lengthBytes))));
}

/** The events of a block and its bytes; where that cannot be read, as if it had one. */
function eventsOf(block: Buffer): { count: bigint; lengthBytes: number } {
  try {
    const { count, bytes } = decodeBlockHeader(block);
    return { count, lengthBytes: Number(bytes) };
  } catch {
    return { count: 1n, lengthBytes: block.length };
  }
}

/** The end of the stretch that begins with a block: keys end with the block's first event. */
function afterBlocks({ key, value }: Row): Buffer {
  const { count, lengthBytes } = eventsOf(value);
  const at = key.length - 8;
  const events = count * BigInt(rowsOf(lengthBytes));
  const next = key.readBigUInt64BE(at) + (events > STRETCH_EVENTS_MAX ? BigInt(STRETCH_EVENTS_MAX) : events);
  const end = Buffer.from(key);
  end.writeBigUInt64BE(next > U64_MAX ? U64_MAX : next, at);
  return end;
}

/** The same for pieces of at most so many bytes, of staged units and of files: keys end with the piece's index, and each index is one row. */
function afterPieces(pieceBytes: number): (row: Row) => Buffer {
  const rows = rowsOf(pieceBytes);
  return ({ key }) => {
    const at = key.length - 4;
    const end = Buffer.from(key);
    end.writeUInt32BE(Math.min(key.readUInt32BE(at) + rows, U32_MAX), at);
    return end;
  };
}

type Commit = (writes: readonly Write[]) => Promise<unknown>;

/** What cannot be read must go all the same; how long the stretch is, is not known then. */
async function firstRow(kv: Kv, from: Buffer, end: Buffer): Promise<Row | "damaged" | null> {
  try {
    const [row] = [...eachRow(await kv.range(from, end, { limitRows: 1, limitBytes: 1 }))];
    return row ?? null;
  } catch (error) {
    if (error instanceof StoreError && error.code === "store-damaged") {
      return "damaged";
    }
    throw error;
  }
}

/** Deletes all that begins with `prefix`; `after` gives the end of the stretch that begins with a row. */
async function deleteAll(kv: Kv, commit: Commit, prefix: Buffer, after: (row: Row) => Buffer): Promise<void> {
  const end = afterPrefix(prefix);
  for (let from = prefix; ; ) {
    const row = await firstRow(kv, from, end);
    if (row === null) {
      return;
    }
    const to = row === "damaged" ? end : after(row);
    await commit([{ kind: "delete-range", from, to }]);
    from = to;
  }
}

/** Deletes a log with all that it holds, its record last. May be interrupted, and begun again. */
export async function deleteLog(kv: Kv, commit: Commit, name: LogName): Promise<void> {
  // Blocks first, in order: what is left meanwhile is a log that begins later.
  await deleteAll(kv, commit, keys.blocks(name), afterBlocks);
  await deleteAll(kv, commit, keys.pieces(name), afterPieces(PIECE_BYTES));
  await deleteAll(kv, commit, keys.allFilePieces(name), afterPieces(FILE_PIECE_BYTES));
  // What is left is small.
  await commit([{ kind: "delete-range", from: keys.log(name), to: afterPrefix(keys.log(name)) }]);
}
