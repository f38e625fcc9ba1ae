// Takes a byte stream of framed events, cut anywhere, and tells id, length and SHA-256 of each.
import { createHash } from "node:crypto";

/** What `seguro-demo` writes: u64 id, u64 length, payload. */
export const ECHO = { headerBytes: 16, idAt: 0, lengthAt: 8, align: 1 };
/** A record (docs/protocol.md, "Record"): u64 length, u64 id, flags, checksum, payload, padding. */
export const RECORD = { headerBytes: 24, idAt: 8, lengthAt: 0, align: 8 };

export class EventHasher {
  #frame;
  #onEvent;
  #header;
  #headerHas = 0;
  #id = 0n;
  #lengthBytes = 0;
  #payloadLeft = 0;
  #paddingLeft = 0;
  #hash = null;

  /** `onEvent(id, lengthBytes, sha256)` is called after each event's last byte. */
  constructor(frame, onEvent) {
    this.#frame = frame;
    this.#onEvent = onEvent;
    this.#header = Buffer.alloc(frame.headerBytes);
  }

  push(bytes) {
    for (let at = 0; at < bytes.length; ) {
      if (this.#paddingLeft > 0) {
        const skipped = Math.min(this.#paddingLeft, bytes.length - at);
        this.#paddingLeft -= skipped;
        at += skipped;
      } else if (this.#hash === null) {
        const taken = bytes.copy(this.#header, this.#headerHas, at);
        this.#headerHas += taken;
        at += taken;
        this.#beginIfWhole();
      } else {
        const taken = Math.min(this.#payloadLeft, bytes.length - at);
        this.#hash.update(bytes.subarray(at, at + taken));
        this.#payloadLeft -= taken;
        at += taken;
        this.#endIfWhole();
      }
    }
  }

  /** Throws when the stream ends inside an event. */
  end() {
    if (this.#hash !== null || this.#headerHas > 0) {
      throw new Error("the stream of events ends inside an event");
    }
  }

  #beginIfWhole() {
    const { headerBytes, idAt, lengthAt } = this.#frame;
    if (this.#headerHas < headerBytes) {
      return;
    }
    this.#id = this.#header.readBigUInt64LE(idAt);
    this.#lengthBytes = Number(this.#header.readBigUInt64LE(lengthAt));
    this.#payloadLeft = this.#lengthBytes;
    this.#hash = createHash("sha256");
    this.#endIfWhole();
  }

  #endIfWhole() {
    if (this.#payloadLeft > 0) {
      return;
    }
    const { headerBytes, align } = this.#frame;
    const wholeBytes = headerBytes + this.#lengthBytes;
    this.#paddingLeft = Math.ceil(wholeBytes / align) * align - wholeBytes;
    this.#onEvent(this.#id, this.#lengthBytes, this.#hash.digest("hex"));
    this.#hash = null;
    this.#headerHas = 0;
  }
}
