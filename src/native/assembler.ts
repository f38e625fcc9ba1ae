// Turns one session's record stream, arriving in arbitrary chunks, into checked runs of records (native/addon/core_assembler.h).
import { addon } from "./addon.ts";
import { freeMemory } from "./memory.ts";

/** Consecutive whole records. */
export interface Run {
  readonly firstId: bigint;
  readonly lastId: bigint;
  readonly count: number;
  readonly bytes: Buffer;
}

/** Memory that came from an assembler's own: each belongs to one run or piece alone. */
const owned = new WeakSet<ArrayBufferLike>();

/** A run's or piece's bytes are needed no longer, and no view of them. Only memory that an assembler made is given back. */
export function freeAssembled(bytes: Buffer): void {
  if (owned.delete(bytes.buffer)) {
    freeMemory(bytes);
  }
}

/** Says that bytes came from an assembler's own memory, which a native caller took out for us. */
export function adoptAssembled(bytes: Buffer): void {
  owned.add(bytes.buffer);
}

/**
 * A piece of a record larger than `pieceBytes`. Pieces of one event carry the indices 0 to n - 1, and all but n - 1 are exactly `pieceBytes`
 * long; put together by index they are the record with header and padding. They come in order, except that a begun event's piece 0 comes
 * last (it holds the checksum, which is only known then).
 */
export interface LargePiece {
  readonly id: bigint;
  readonly recordBytes: number;
  readonly index: number;
  readonly bytes: Buffer;
  /** The event is complete and its checksum was right. A failed event never has such a piece. */
  readonly last: boolean;
}

export type Assembled = { readonly run: Run } | { readonly large: LargePiece };

/** The numbers are those of docs/protocol.md, "Errors". */
export const AssemblerStatus = { OK: 0, BAD_RECORD: 20, GAP: 21, TOO_LARGE: 25, BAD_ID: 27 } as const;

export interface AssemblerOptions {
  /** A run is closed when it has reached this, or a long record would take it beyond. */
  readonly runBytes: number;
  /** A longer record goes out in pieces of this; a multiple of 8, at least 32. */
  readonly pieceBytes: number;
  /** Greatest payload of an event. */
  readonly eventBytesMax: number;
}

export interface Assembler {
  /** The id the next record must have; 0n: any from 1 on. Throws when a record is half way, and after a failure. */
  expect(id: bigint): void;
  /**
   * Takes the next bytes of the record stream; returns a status. After one other than OK the assembler accepts nothing more (it repeats the
   * status), but what was complete before the bad record can still be taken.
   */
  push(chunk: Buffer): number;
  /**
   * Protocol 0: begins an event whose checksum the assembler computes itself; its payload follows through `pushPayload`. Same statuses.
   * `lengthBytes` may be 0.
   */
  beginEvent(id: bigint, lengthBytes: number): number;
  /** Takes payload of the begun event: never more than what is still missing, else BAD_RECORD. */
  pushPayload(chunk: Buffer): number;
  /**
   * The next finished item in stream order, or null. Whole records gathered so far come as one run, cut where an id falls back, before a
   * large record, and at `runBytes`, or before a long record that would go beyond.
   */
  take(): Assembled | null;
  /** The id that the failing status concerns, 0n if none. */
  readonly failedId: bigint;
  /** True when no record is half way, so that a batch or session may end here. False after a failure. */
  readonly atBoundary: boolean;
  /** Memory reserved natively now for bytes that were not taken yet, partial records included. */
  readonly heldBytes: number;
  /** Record-stream bytes of complete records since creation. */
  readonly completedBytes: bigint;
  /** Number of complete records since creation. */
  readonly completedCount: bigint;
}

interface NativeAssembler {
  expect(id: bigint): void;
  push(chunk: Buffer): number;
  beginEvent(id: bigint, lengthBytes: number): number;
  pushPayload(chunk: Buffer): number;
  takeInto(to: Buffer): void;
  takeOwned(): Buffer;
}

const Native = (
  addon as {
    Assembler: new (state: BigUint64Array, runBytes: number, pieceBytes: number, eventBytesMax: number) => NativeAssembler;
  }
).Assembler;

/** Slots of the state array, as in native/addon/assembler.h. */
const KIND = 0;
const SIZE = 1;
const FIRST_ID = 2;
const LAST_ID = 3;
const COUNT = 4;
const INDEX = 5;
const RECORD_BYTES = 6;
const LAST = 7;
const BOUNDARY = 8;
const FAILED_ID = 9;
const HELD = 10;
const DONE_BYTES = 11;
const DONE_COUNT = 12;
const STATE_SLOTS = 13;

const KIND_NONE = 0;
const KIND_RUN = 1;

/** Shorter items are copied, which is cheaper than an external Buffer with its finalizer. */
const COPY_BELOW_BYTES = 32 * 1024;

const EVENT_ID_MAX = (1n << 63n) - 1n;
const EVENT_BYTES_MAX = 0xffff_ffff;

/** The state array holds 64-bit slots; those that stay below 2^53 are read as two halves, which makes no BigInt. */
class NativeBackedAssembler implements Assembler {
  readonly #ids = new BigUint64Array(STATE_SLOTS);
  readonly #halves = new Uint32Array(this.#ids.buffer);
  readonly #native: NativeAssembler;

  constructor(options: AssemblerOptions) {
    this.#native = new Native(this.#ids, options.runBytes, options.pieceBytes, options.eventBytesMax);
  }

  expect(id: bigint): void {
    if (id < 0n || id > EVENT_ID_MAX) {
      throw new RangeError(`assembler: ${id} is no event id`);
    }
    if (!this.atBoundary) {
      throw new Error("assembler: expect() while a record is half way, or after a failure");
    }
    this.#native.expect(id);
  }

  push(chunk: Buffer): number {
    return this.#native.push(chunk);
  }

  beginEvent(id: bigint, lengthBytes: number): number {
    if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 0) {
      throw new RangeError(`assembler: ${lengthBytes} is no length`);
    }
    // Beyond 64 bits an id would wrap into a good one; 0 is just as bad and stays bad.
    return this.#native.beginEvent(id < 0n || id > EVENT_ID_MAX ? 0n : id, lengthBytes);
  }

  pushPayload(chunk: Buffer): number {
    return this.#native.pushPayload(chunk);
  }

  take(): Assembled | null {
    const kind = this.#halves[KIND * 2];
    if (kind === KIND_NONE) {
      return null;
    }
    const ids = this.#ids;
    // What describes the item is read first: taking it publishes the next one's.
    const size = this.#number(SIZE);
    const firstId = ids[FIRST_ID] as bigint;
    if (kind === KIND_RUN) {
      const lastId = ids[LAST_ID] as bigint;
      const count = this.#number(COUNT);
      return { run: { firstId, lastId, count, bytes: this.#bytes(size) } };
    }
    const recordBytes = this.#number(RECORD_BYTES);
    const index = this.#number(INDEX);
    const last = this.#halves[LAST * 2] === 1;
    return { large: { id: firstId, recordBytes, index, bytes: this.#bytes(size), last } };
  }

  get failedId(): bigint {
    return this.#ids[FAILED_ID] as bigint;
  }

  get atBoundary(): boolean {
    return this.#halves[BOUNDARY * 2] === 1;
  }

  get heldBytes(): number {
    return this.#number(HELD);
  }

  get completedBytes(): bigint {
    return this.#ids[DONE_BYTES] as bigint;
  }

  get completedCount(): bigint {
    return this.#ids[DONE_COUNT] as bigint;
  }

  #number(slot: number): number {
    return (this.#halves[slot * 2] as number) + (this.#halves[slot * 2 + 1] as number) * 0x1_0000_0000;
  }

  #bytes(size: number): Buffer {
    if (size >= COPY_BELOW_BYTES) {
      const bytes = this.#native.takeOwned();
      adoptAssembled(bytes);
      return bytes;
    }
    const bytes = Buffer.allocUnsafe(size);
    this.#native.takeInto(bytes);
    return bytes;
  }
}

/** Throws a RangeError for options outside their limits. */
export function createAssembler(options: AssemblerOptions): Assembler {
  const { runBytes, pieceBytes, eventBytesMax } = options;
  if (!Number.isSafeInteger(runBytes) || runBytes < 1 || runBytes > 0x4000_0000) {
    throw new RangeError(`assembler: runBytes ${runBytes} is not from 1 to 2^30`);
  }
  if (!Number.isSafeInteger(pieceBytes) || pieceBytes < 32 || pieceBytes > 0x4000_0000 || pieceBytes % 8 !== 0) {
    throw new RangeError(`assembler: pieceBytes ${pieceBytes} is not a multiple of 8 from 32 to 2^30`);
  }
  if (!Number.isSafeInteger(eventBytesMax) || eventBytesMax < 0 || eventBytesMax > EVENT_BYTES_MAX) {
    throw new RangeError(`assembler: eventBytesMax ${eventBytesMax} is not from 0 to 2^32 - 1`);
  }
  return new NativeBackedAssembler(options);
}
