// Frames of protocol 1: writing one, and cutting a byte stream into them.
import { crc32c } from "../native/checksum.ts";
import { FRAME_BODY_MAX, FRAME_HEADER_BYTES } from "./constants.ts";
import { SeguroError } from "./errors.ts";

export interface FrameHeader {
  readonly bodyBytes: number;
  readonly type: number;
  readonly flags: number;
  readonly request: number;
}

const HEADER_CHECKED_BYTES = 12;
const HOLD_BYTES_MIN = 64;
const NOTHING: Buffer = Buffer.alloc(0);

function padding(bodyBytes: number): number {
  return -bodyBytes & 7;
}

function writeHeader(into: Buffer, type: number, flags: number, request: number, bodyBytes: number): void {
  into.writeUInt32LE(bodyBytes, 0);
  into.writeUInt8(type, 4);
  into.writeUInt8(flags, 5);
  into.writeUInt16LE(0, 6);
  into.writeUInt32LE(request, 8);
  into.writeUInt32LE(crc32c(into.subarray(0, HEADER_CHECKED_BYTES)), HEADER_CHECKED_BYTES);
}

/** A whole frame: header, body and padding. */
export function encodeFrame(type: number, request: number, body: Uint8Array, flags = 0): Buffer {
  if (body.length > FRAME_BODY_MAX) {
    throw new RangeError(`a frame body of ${body.length} bytes is above the limit`);
  }
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + body.length + padding(body.length));
  writeHeader(frame, type, flags, request, body.length);
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

/** A header alone, for bodies that are sent from where they lie; their length must be a multiple of 8. */
export function encodeFrameHeader(type: number, request: number, bodyBytes: number): Buffer {
  if (bodyBytes > FRAME_BODY_MAX || padding(bodyBytes) !== 0) {
    throw new RangeError(`a frame body of ${bodyBytes} bytes cannot be sent in place`);
  }
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  writeHeader(header, type, 0, request, bodyBytes);
  return header;
}

function decodeHeader(bytes: Buffer): FrameHeader {
  const bodyBytes = bytes.readUInt32LE(0);
  const sum = crc32c(bytes.subarray(0, HEADER_CHECKED_BYTES));
  if (sum !== bytes.readUInt32LE(HEADER_CHECKED_BYTES)) {
    throw new SeguroError(
      "bad-frame",
      "a frame header fails its checksum",
      "the client's framing is broken, or it does not speak version 1",
    );
  }
  if (bodyBytes > FRAME_BODY_MAX) {
    throw new SeguroError("bad-frame", `a frame body of ${bodyBytes} bytes`, `the limit is ${FRAME_BODY_MAX}`);
  }
  if (bytes.readUInt16LE(6) !== 0) {
    throw new SeguroError("bad-frame", "a reserved field of a frame header is not 0", "the client is newer than this sidecar, or broken");
  }
  return { bodyBytes, type: bytes.readUInt8(4), flags: bytes.readUInt8(5), request: bytes.readUInt32LE(8) };
}

/** What a reader hands on. Buffers may be views of the chunk just pushed: use or copy them before returning. */
export interface FrameSink {
  /** True for types whose body is handed on piece by piece as it arrives instead of being joined. */
  streams(type: number): boolean;
  /** A whole frame. */
  frame(header: FrameHeader, body: Buffer): void;
  /** The next piece of a streamed frame's body; `begins` on the first. Empty bodies give one empty piece. */
  piece(header: FrameHeader, piece: Buffer, begins: boolean): void;
}

/** Cuts a byte stream into frames; holds at most one header and one unstreamed body. */
export class FrameReader {
  readonly #sink: FrameSink;
  #header: FrameHeader | null = null;
  /** Bytes of a header or of a joined body that have come so far. */
  #held: Buffer = NOTHING;
  #heldBytes = 0;
  #bodyLeft = 0;
  #paddingLeft = 0;
  #begun = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** True when no frame is half way. */
  get atBoundary(): boolean {
    return this.#header === null && this.#heldBytes === 0;
  }

  /** Takes the next bytes of the stream. Throws a SeguroError when they are not frames; the reader is of no use after that. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#header === null) {
        at = this.#takeHeader(chunk, at);
      } else if (this.#bodyLeft > 0) {
        at = this.#takeBody(this.#header, chunk, at);
      } else {
        at = this.#takePadding(chunk, at);
      }
    }
  }

  #takeHeader(chunk: Buffer, from: number): number {
    const wanted = FRAME_HEADER_BYTES - this.#heldBytes;
    const to = Math.min(chunk.length, from + wanted);
    const part = chunk.subarray(from, to);
    if (part.length < wanted) {
      this.#hold(part);
      return to;
    }
    const header = decodeHeader(this.#joined(part));
    this.#header = header;
    this.#bodyLeft = header.bodyBytes;
    this.#paddingLeft = padding(header.bodyBytes);
    this.#begun = false;
    if (header.bodyBytes === 0) {
      this.#finishBody(header, NOTHING);
    }
    return to;
  }

  #takeBody(header: FrameHeader, chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.#bodyLeft);
    const part = chunk.subarray(from, to);
    this.#bodyLeft -= part.length;
    if (this.#sink.streams(header.type)) {
      const begins = !this.#begun;
      this.#begun = true;
      this.#sink.piece(header, part, begins);
      this.#endIfComplete();
    } else if (this.#bodyLeft === 0) {
      this.#finishBody(header, this.#joined(part));
    } else {
      this.#hold(part);
    }
    return to;
  }

  #takePadding(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.#paddingLeft);
    for (let i = from; i < to; i++) {
      if (chunk[i] !== 0) {
        throw new SeguroError("bad-frame", "the padding of a frame is not zero", "the client's framing is broken");
      }
    }
    this.#paddingLeft -= to - from;
    this.#endIfComplete();
    return to;
  }

  #finishBody(header: FrameHeader, body: Buffer): void {
    if (this.#sink.streams(header.type)) {
      this.#sink.piece(header, body, true);
    } else {
      this.#sink.frame(header, body);
    }
    this.#endIfComplete();
  }

  #endIfComplete(): void {
    if (this.#bodyLeft === 0 && this.#paddingLeft === 0) {
      this.#header = null;
    }
  }

  /** Keeps a private copy: the chunk belongs to the caller. Grows by doubling, so that a client that sends byte by byte costs no more. */
  #hold(part: Buffer): void {
    const needed = this.#heldBytes + part.length;
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#held.length, HOLD_BYTES_MIN));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    part.copy(this.#held, this.#heldBytes);
    this.#heldBytes = needed;
  }

  #joined(last: Buffer): Buffer {
    if (this.#heldBytes === 0) {
      return last;
    }
    this.#hold(last);
    const whole = this.#held.subarray(0, this.#heldBytes);
    this.#held = NOTHING;
    this.#heldBytes = 0;
    return whole;
  }
}
