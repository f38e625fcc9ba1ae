// Reads logical rows out of a transaction: as many requests as it takes, limits that hold for whole rows, everything checked.
import type { Rows } from "../kv.ts";
import { copyValue, FragmentDamage, type Pending, RowAssembler, rowOf, type StoredRow } from "./fragments.ts";
import type { ReadRange, Transaction } from "./transactions.ts";
import { afterFragments, packFragment, packStem } from "./tuple.ts";

/** Key bytes and value bytes of a packed row. */
const ROW_HEAD_BYTES = 8;
/** What one request asks for at most; the client library counts in 32 bits, and a reply is held in memory twice. */
const REQUEST_BYTES_MAX = 16 * 1024 * 1024;
const REQUEST_ROWS_MAX = 100_000;
/** What FoundationDB answers at once: a range of more comes as several answers, one after the other. */
const ANSWER_BYTES = 80_000;

export interface Limits {
  readonly limitRows: number;
  readonly limitBytes: number;
  readonly reverse: boolean;
}

/** Between two physical keys. */
export interface Bounds {
  readonly from: Buffer;
  readonly to: Buffer;
}

export const EVERYTHING: Limits = { limitRows: Number.MAX_SAFE_INTEGER, limitBytes: Number.MAX_SAFE_INTEGER, reverse: false };

function packedBytes(row: { readonly key: Buffer; readonly valueBytes: number }): number {
  return ROW_HEAD_BYTES + row.key.length + row.valueBytes;
}

/** The rows that a read found, as they lie in the transaction's answers. */
export interface Collected {
  readonly rows: readonly StoredRow[];
  /** Of the rows, packed. */
  readonly bytes: number;
  /** There was a row beyond the limits. */
  readonly more: boolean;
}

/** Counts rows as they are found, and gathers what is still on its way. */
class Collector {
  readonly #assembler: RowAssembler;
  readonly #limits: Limits;
  readonly #rows: (StoredRow | Promise<StoredRow>)[] = [];
  #bytes = 0;
  #more = false;

  constructor(prefixBytes: number, limits: Limits) {
    this.#assembler = new RowAssembler(prefixBytes, limits.reverse);
    this.#limits = limits;
  }

  /** What to ask for next: the rest of a row that has begun, what fits, and one fragment more, which tells whether there is more. */
  wanted(mostBytes: number): Pick<ReadRange, "limitRows" | "targetBytes"> {
    const pending = this.#assembler.pending;
    const missingRows = (pending?.missing ?? 0) + this.#limits.limitRows - this.#rows.length - (pending === null ? 0 : 1) + 1;
    const missingBytes = Math.max(this.#limits.limitBytes - this.#bytes, pending?.valueBytes ?? 0, 1);
    return { limitRows: Math.min(missingRows, REQUEST_ROWS_MAX), targetBytes: Math.min(missingBytes, mostBytes) };
  }

  /** Takes the next physical row; false when no more are wanted. */
  take(physicalKey: Buffer, fragment: Buffer): boolean {
    const whole = this.#assembler.push(physicalKey, fragment);
    const row = whole ?? this.#assembler.pending;
    if (row !== null && this.#isBeyond(packedBytes(row))) {
      this.#more = true;
      return false;
    }
    if (whole !== null) {
      this.#rows.push(whole);
      this.#bytes += packedBytes(whole);
    }
    return true;
  }

  /** Counts the row that has begun as if it were whole, and has its other fragments fetched meanwhile. Its key, or null if none has begun. */
  detach(fetch: (pending: Pending) => Promise<StoredRow>): Buffer | null {
    const pending = this.#assembler.detach();
    if (pending === null) return null;
    const row = fetch(pending);
    // Whoever reads waits for all of them in the end, or has failed before.
    row.catch(() => undefined);
    this.#rows.push(row);
    this.#bytes += packedBytes(pending);
    return pending.key;
  }

  /** There are no more physical rows. */
  end(): void {
    this.#assembler.end();
  }

  /** Resolves when everything that was fetched is here. */
  async collected(): Promise<Collected> {
    return { rows: await Promise.all(this.#rows), bytes: this.#bytes, more: this.#more };
  }

  #isBeyond(rowBytes: number): boolean {
    const { limitRows, limitBytes } = this.#limits;
    return this.#rows.length === limitRows || (this.#rows.length > 0 && this.#bytes + rowBytes > limitBytes);
  }
}

/** The rows as `range` returns them, in `into` where they fit. */
export function packRows({ rows, bytes: packed, more }: Collected, into: Buffer | undefined): Rows {
  const bytes = into !== undefined && into.length >= packed ? into.subarray(0, packed) : Buffer.allocUnsafe(packed);
  let at = 0;
  for (const row of rows) {
    at = bytes.writeUInt32LE(row.key.length, at);
    at = bytes.writeUInt32LE(row.valueBytes, at);
    at += row.key.copy(bytes, at);
    copyValue(row, bytes.subarray(at, at + row.valueBytes));
    at += row.valueBytes;
  }
  return { bytes, count: rows.length, more };
}

export interface CollectOptions {
  readonly limits: Limits;
  readonly prefix: Buffer;
  readonly snapshot: boolean;
}

/** Fetches the fragments that a row still needs, all at once. */
async function fetchRest(transaction: Transaction, { prefix, snapshot }: CollectOptions, pending: Pending): Promise<StoredRow> {
  const stem = packStem(prefix, pending.key);
  const first = pending.fragments.length;
  const rest = await Promise.all(
    Array.from({ length: pending.missing }, async (_, index) => {
      const fragment = await transaction.get(packFragment(stem, first + index), snapshot);
      if (fragment === null) throw new FragmentDamage(`fragment ${first + index} of ${pending.key.toString("hex")} is missing`);
      return fragment;
    }),
  );
  return rowOf(pending.key, [...pending.fragments, ...rest]);
}

/**
 * Reads rows between two physical keys at the transaction's version. A large row is known by its first fragment: its other ones are fetched all at
 * once, and what follows it is looked for meanwhile, so that a long read does not wait for one answer after the other.
 */
export async function collect(transaction: Transaction, bounds: Bounds, options: CollectOptions): Promise<Collected> {
  const { limits, prefix, snapshot } = options;
  const collector = new Collector(prefix.length, limits);
  let { from, to } = bounds;
  // Small rows are read as one range; large ones show at the end of the first answer.
  for (let mostBytes = ANSWER_BYTES; ; ) {
    const { rows, more } = await transaction.range({ from, to, ...collector.wanted(mostBytes), reverse: limits.reverse }, snapshot);
    for (const [key, fragment] of rows) if (!collector.take(key, fragment)) return collector.collected();
    const last = rows.at(-1)?.[0];
    // Taken for the end, it would cut the rows short without a word.
    if (more && last === undefined) throw new Error("invariant: a range has more rows, and the cluster gave none");
    if (!more || last === undefined) {
      collector.end();
      return collector.collected();
    }
    const large = limits.reverse ? null : collector.detach((pending) => fetchRest(transaction, options, pending));
    mostBytes = large === null ? REQUEST_BYTES_MAX : ANSWER_BYTES;
    if (limits.reverse) to = last;
    else from = large === null ? Buffer.concat([last, Buffer.of(0)]) : afterFragments(packStem(prefix, large));
    if (Buffer.compare(from, to) >= 0) return collector.collected();
  }
}

/** The value of the only row that a read of one key's fragments found; null if there was none. */
export function onlyValue(collected: Collected): Buffer | null {
  const [row] = collected.rows;
  if (row === undefined) return null;
  const value = Buffer.allocUnsafe(row.valueBytes);
  copyValue(row, value);
  return value;
}
