// Follows a record stream that comes in arbitrary pieces, event by event. For checked streams: it follows the framing and nothing else.
import { RECORD_HEADER_BYTES } from "./constants.ts";

export interface WalkerSink {
  begin(id: bigint, lengthBytes: number): void;
  /** The next bytes of the payload: a view of what was pushed. */
  payload(bytes: Buffer): void;
  end(): void;
}

export class RecordWalker {
  readonly #sink: WalkerSink;
  readonly #header = Buffer.alloc(RECORD_HEADER_BYTES);
  #headerBytes = 0;
  #payloadLeft = 0;
  #paddingLeft = 0;

  constructor(sink: WalkerSink) {
    this.#sink = sink;
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#payloadLeft > 0) {
        const to = Math.min(bytes.length, at + this.#payloadLeft);
        this.#payloadLeft -= to - at;
        this.#sink.payload(bytes.subarray(at, to));
        this.#endIfWhole();
        at = to;
      } else if (this.#paddingLeft > 0) {
        const skipped = Math.min(bytes.length - at, this.#paddingLeft);
        this.#paddingLeft -= skipped;
        at += skipped;
      } else {
        at += this.#takeHeader(bytes, at);
      }
    }
  }

  #takeHeader(bytes: Buffer, at: number): number {
    const taken = bytes.copy(this.#header, this.#headerBytes, at, at + RECORD_HEADER_BYTES - this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes === RECORD_HEADER_BYTES) {
      this.#headerBytes = 0;
      const lengthBytes = Number(this.#header.readBigUInt64LE(0));
      this.#payloadLeft = lengthBytes;
      this.#paddingLeft = -lengthBytes & 7;
      this.#sink.begin(this.#header.readBigUInt64LE(8), lengthBytes);
      this.#endIfWhole();
    }
    return taken;
  }

  #endIfWhole(): void {
    if (this.#payloadLeft === 0) {
      this.#sink.end();
    }
  }
}
