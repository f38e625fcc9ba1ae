// Reading the events and META of one of a pier's log folders, as runs of records, without touching the files of a live ship.
import path from "node:path";
import { asPierError, toPierError } from "./errors.ts";
import type { PierMeta } from "./meta.ts";
import { type NativeReader, native } from "./native.ts";

/** First and last event id; 0 for both when there are none. */
export interface EventSpan {
  firstId: bigint;
  lastId: bigint;
  count: bigint;
}

/** What a walk over every entry (not over every payload byte) found. */
export interface EventSurvey extends EventSpan {
  /** Bytes of all values together. */
  payloadBytes: bigint;
  largestBytes: number;
  /** Events of at most 4 bytes: legal in the file, but Vere refuses to replay them. */
  shortEvents: bigint;
  /** The first of them, 0 when there is none. */
  firstShortId: bigint;
}

/**
 * Consecutive events as a stream of records (docs/protocol.md, "Record"). Whole records, except for an event that has more bytes than were
 * allowed, or whose ship commits faster than it can be copied: then `count` is 1, `bytes` is the piece at `offsetBytes`, and
 * `offsetBytes + bytes.length < totalBytes` says that more follows. Concatenating the bytes of all runs and pieces gives the stream.
 */
export interface EventRun extends EventSpan {
  bytes: Buffer;
  offsetBytes: number;
  totalBytes: number;
  /** How many of the events have at most 4 bytes. */
  shortEvents: number;
}

/** How to read; all of it optional. */
export interface ReadOptions {
  /**
   * Take pages of zeros inside large events for what the ship wrote. By default they are reported as lost pages (`pier-zero-page`), because
   * nothing else tells a page that the disk lost from one that holds zeros.
   */
  acceptZeroPages?: boolean;
}

const runBytesLeast = 64;

/**
 * Reads one log folder's `data.mdb`. It takes no lock and writes nothing, so it also reads from a read-only disk and can neither hinder nor
 * hang a live ship; every answer comes from one consistent state of the file (native/addon/pier_snapshot.h says why).
 *
 * Damage that is found, always before a byte of it is given out:
 * - either meta page lost, garbled in its structure, or not its partner's neighbour in time; another page size, version or table kind;
 * - a file that ends before a page that is in use; a page that cannot be read;
 * - a page of a table that is lost, another page, another kind of page, in use and free at once, or whose entries do not fill it exactly;
 * - an event out of order, doubled or missing; a key that is not 8 bytes; a table whose entries are not as many as it says;
 * - a large event whose first page is lost or another, or with a page of zeros (unless they are accepted) anywhere in it.
 *
 * What nothing in the file can show, because LMDB keeps no checksums: changed bytes inside an event, garbage that is not zeros on a large
 * event's second or later page, and a file put back as a whole to an older state. The digest chain of a log imported before shows these.
 */
export class PierReader {
  /** The file being read. */
  readonly dataPath: string;
  readonly #native: NativeReader;
  readonly #acceptZeroPages: boolean;

  private constructor(dataPath: string, reader: NativeReader, options: ReadOptions) {
    this.dataPath = dataPath;
    this.#native = reader;
    this.#acceptZeroPages = options.acceptZeroPages ?? false;
  }

  /** Opens the folder (an epoch's, or the top-level one); throws `pier-missing` or `pier-permission`. */
  static open(folder: string, options: ReadOptions = {}): PierReader {
    const dataPath = path.join(folder, "data.mdb");
    try {
      return new PierReader(dataPath, new native.PierReader(dataPath), options);
    } catch (error) {
      throw toPierError(error);
    }
  }

  /** First and last id, cheaply; throws `pier-gap` when events between them are missing, `pier-damaged` when the file is cut. */
  async span(): Promise<EventSpan> {
    const { firstId, lastId, count } = await asPierError(() => this.#native.measure());
    return { firstId, lastId, count };
  }

  /** Checks every entry of the table; costs a read of all pages that are not wholly payload. */
  async survey(): Promise<EventSurvey> {
    return await asPierError(() => this.#native.walk());
  }

  /** All META entries in key order; none when there is no such table. */
  async meta(): Promise<PierMeta> {
    const pairs = await asPierError(() => this.#native.readMeta());
    return new Map(pairs.map(([key, value]) => [key.toString("latin1"), value]));
  }

  /**
   * The run of events that begins at `fromId`, of at most `maxBytes` (at least 64), or null beyond the last event. To go on with an event in
   * pieces pass `offsetBytes` of the next one. Events before a damaged place are still given; the call that begins at it throws.
   *
   * @param into memory to fill, for callers that reuse it; by default a new Buffer. Do not touch it before the promise settles.
   */
  async nextRun(fromId: bigint, maxBytes: number, offsetBytes = 0, into?: Buffer): Promise<EventRun | null> {
    if (!Number.isSafeInteger(maxBytes) || maxBytes < runBytesLeast) {
      throw new RangeError(`maxBytes must be a whole number from ${runBytesLeast}, not ${maxBytes}`);
    }
    const buffer = into?.subarray(0, maxBytes) ?? Buffer.allocUnsafeSlow(maxBytes);
    if (buffer.length < runBytesLeast) {
      throw new RangeError(`the memory to fill has ${buffer.length} bytes; it needs ${runBytesLeast}`);
    }
    const run = await asPierError(() => this.#native.nextRun(fromId, BigInt(offsetBytes), buffer, this.#acceptZeroPages));
    if (run === null) {
      return null;
    }
    const { lengthBytes, ...rest } = run;
    return { ...rest, bytes: buffer.subarray(0, lengthBytes) };
  }

  /**
   * All runs from `fromId` (default: the first event) to the end of the log as it then is. The next run is read while the caller works on this
   * one. Each has memory of its own, unless `buffers` gives two Buffers to be filled in turn, which is two to four times as fast: then a run's
   * bytes hold only until the next is asked for.
   */
  async *runs(maxBytes: number, fromId?: bigint, buffers?: readonly [Buffer, Buffer]): AsyncGenerator<EventRun, void, undefined> {
    const start = fromId ?? (await this.span()).firstId;
    if (start === 0n) {
      return;
    }
    let turn = 0;
    const begin = (id: bigint, offsetBytes: number) => {
      turn ^= 1;
      const run = this.nextRun(id, maxBytes, offsetBytes, buffers?.[turn]);
      // It fails, if it fails, when it is awaited; until then, or when the caller stops early, that is nobody's business.
      run.catch(() => undefined);
      return run;
    };
    let ahead = begin(start, 0);
    for (;;) {
      const run = await ahead;
      if (run === null) {
        return;
      }
      const end = run.offsetBytes + run.bytes.length;
      ahead = end < run.totalBytes ? begin(run.firstId, end) : begin(run.lastId + 1n, 0);
      yield run;
    }
  }

  /** Lets go of the file, as soon as no call is under way. */
  close(): void {
    this.#native.close();
  }
}
