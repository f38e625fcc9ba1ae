// One read of a log: pieces of its record stream, taken at the pace of whoever iterates.
import { Frame, READ_TAIL } from "../wire/constants.ts";
import { decodeSent, decodeU64, encodeRead, encodeU64, type Sent } from "../wire/flows.ts";
import { encodeFrame, type FrameHeader } from "../wire/frames.ts";
import type { Connection, Route } from "./connection.ts";

const DEFAULT_WINDOW_BYTES = 4 * 1_048_576;
const NOTHING: Buffer = Buffer.alloc(0);

export interface ReadOptions {
  /** First event wanted. */
  readonly from: bigint;
  /** Events; 0 or absent for no limit. */
  readonly limit?: bigint;
  /** Go on live after the last event. */
  readonly tail?: boolean;
  /** Bytes the server may send ahead of the iterator; a multiple of 8. */
  readonly windowBytes?: number;
}

/**
 * The record stream of a read, cut anywhere at multiples of 8 bytes. Iterate it once; leaving the loop early cancels the read. A tail ends
 * only by `cancel`, its limit, or the end of the connection (which throws).
 */
export class LogRead implements AsyncIterable<Buffer>, Route {
  readonly #connection: Connection;
  readonly #request: number;
  readonly #windowBytes: number;
  #queue: Buffer[] = [];
  #takenBytes = 0;
  #sent: Sent | null = null;
  #error: Error | null = null;
  #liveHeight: bigint | null = null;
  #cancelled = false;
  #wake: (() => void)[] = [];

  constructor(connection: Connection, options: ReadOptions) {
    this.#connection = connection;
    this.#windowBytes = options.windowBytes ?? DEFAULT_WINDOW_BYTES;
    this.#request = connection.route(this);
    const read = {
      from: options.from,
      limit: options.limit ?? 0n,
      creditBytes: BigInt(this.#windowBytes),
      flags: options.tail === true ? READ_TAIL : 0,
    };
    connection.send(encodeRead(this.#request, read)).catch((error: Error) => this.fail(error));
  }

  /** How the read ended: counts and the next id; null until it has. */
  get sent(): Sent | null {
    return this.#sent;
  }

  /** The height at which a tail had caught up; null before. */
  get liveHeight(): bigint | null {
    return this.#liveHeight;
  }

  /** The next piece, or null at the end. Pieces belong to the caller. */
  async next(): Promise<Buffer | null> {
    for (;;) {
      const piece = this.#queue.shift();
      if (piece !== undefined) {
        this.#giveCredit(piece.length);
        return piece;
      }
      if (this.#error !== null) {
        throw this.#error;
      }
      if (this.#sent !== null) {
        return null;
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** Ends the read; resolves with how far it came once the server has confirmed. Pieces not yet taken are dropped. */
  async cancel(): Promise<Sent> {
    this.#cancelled = true;
    this.#queue = [];
    if (this.#sent === null && this.#error === null) {
      await this.#connection.send(encodeFrame(Frame.CANCEL, this.#request, NOTHING));
    }
    for (;;) {
      if (this.#error !== null) {
        throw this.#error;
      }
      if (this.#sent !== null) {
        return this.#sent;
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    try {
      for (let piece = await this.next(); piece !== null; piece = await this.next()) {
        yield piece;
      }
    } finally {
      if (this.#sent === null && this.#error === null && !this.#cancelled) {
        await this.cancel();
      }
    }
  }

  frame(header: FrameHeader, body: Buffer): void {
    if (header.type === Frame.LIVE) {
      this.#liveHeight = decodeU64(body, "LIVE");
    } else if (header.type === Frame.SENT) {
      this.#sent = decodeSent(body);
      this.#connection.unroute(this.#request);
    }
    this.#wakeAll();
  }

  piece(piece: Buffer): void {
    if (!this.#cancelled && piece.length > 0) {
      this.#queue.push(piece);
      this.#wakeAll();
    }
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#wakeAll();
  }

  #wakeAll(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) {
      resolve();
    }
  }

  /** Renewed in halves of the window: often enough that the server never runs dry, seldom enough to cost nothing. */
  #giveCredit(lengthBytes: number): void {
    this.#takenBytes += lengthBytes;
    if (this.#takenBytes * 2 < this.#windowBytes || this.#sent !== null || this.#error !== null) {
      return;
    }
    const more = BigInt(this.#takenBytes);
    this.#takenBytes = 0;
    this.#connection.send(encodeU64(Frame.CREDIT, this.#request, more)).catch((error: Error) => this.fail(error));
  }
}
