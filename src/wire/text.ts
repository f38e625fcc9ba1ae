// Protocol 0 and the handshake as bytes: text blocks ended by NUL, and events framed as Vere's newts inside them (docs/protocol.md).

export const TEXT_BLOCK_MAX = 128;
const NEWT_LENGTH_BYTES = 4;
const U64_MAX = 0xffffffffffffffffn;

/** A peer broke a rule of the text protocol; it is disconnected without a word, and the sidecar's log says why. */
export class TextError extends Error {
  override readonly name = "TextError";
}

export interface TextSink {
  /** A whole block, without its NUL. */
  block(text: string): void;
  /** `WRITE id ` or `EVENT id `, then a newt whose body has so many bytes. */
  eventBegin(verb: "WRITE" | "EVENT", id: bigint, lengthBytes: number): void;
  /** The next bytes of the newt's body: a view of what was pushed. */
  eventData(bytes: Buffer): void;
  /** The body is complete and the closing NUL has come. */
  eventEnd(): void;
}

/** Decimal digits that make a number of at most 64 bits, or null. */
function parseNumber(text: string | undefined): bigint | null {
  if (text === undefined || !/^[0-9]{1,20}$/.test(text)) {
    return null;
  }
  const value = BigInt(text);
  return value <= U64_MAX ? value : null;
}

/** `parseNumber` for fields that must be there. */
export function requireNumber(text: string | undefined): bigint {
  const value = parseNumber(text);
  if (value === null) {
    throw new TextError("a field is no number of 64 bits");
  }
  return value;
}

/** Cuts a byte stream into blocks and events. Stops in mid-chunk when told, so that binary frames can follow a handshake. */
export class TextReader {
  readonly #sink: TextSink;
  #text = Buffer.alloc(0);
  #state: "text" | "length" | "body" | "nul" = "text";
  #verb: "WRITE" | "EVENT" = "WRITE";
  #id = 0n;
  #bodyLeft = 0;
  #stopped = false;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  /** True while a block or event has begun and not ended. */
  get midway(): boolean {
    return this.#state !== "text" || this.#text.length > 0;
  }

  /** Makes `push` return what follows the present block instead of reading it. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes bytes; returns those that follow the block at which `stop` was called (else none). Throws TextError. */
  push(chunk: Buffer): Buffer {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#state === "text") {
        at = this.#takeText(chunk, at);
      } else if (this.#state === "length") {
        at = this.#takeLength(chunk, at);
      } else if (this.#state === "body") {
        at = this.#takeBody(chunk, at);
      } else {
        at = this.#takeNul(chunk, at);
      }
    }
    return chunk.subarray(at);
  }

  #takeText(chunk: Buffer, from: number): number {
    const nul = chunk.indexOf(0, from);
    const to = nul === -1 ? chunk.length : nul;
    if (this.#text.length + (to - from) >= TEXT_BLOCK_MAX) {
      throw new TextError(`a text block of more than ${TEXT_BLOCK_MAX} bytes`);
    }
    this.#text = Buffer.concat([this.#text, chunk.subarray(from, to)]);
    if (nul === -1) {
      return to;
    }
    const text = this.#text.toString("latin1");
    this.#text = Buffer.alloc(0);
    // The byte that ended the text of an event is its newt's version tag, which is zero as well.
    const event = /^(WRITE|EVENT) ([0-9]+) $/.exec(text);
    if (event === null) {
      this.#sink.block(text);
    } else {
      this.#verb = event[1] === "WRITE" ? "WRITE" : "EVENT";
      this.#id = requireNumber(event[2]);
      this.#state = "length";
    }
    return nul + 1;
  }

  #takeLength(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + NEWT_LENGTH_BYTES - this.#text.length);
    this.#text = Buffer.concat([this.#text, chunk.subarray(from, to)]);
    if (this.#text.length === NEWT_LENGTH_BYTES) {
      this.#bodyLeft = this.#text.readUInt32LE(0);
      this.#text = Buffer.alloc(0);
      this.#state = this.#bodyLeft === 0 ? "nul" : "body";
      this.#sink.eventBegin(this.#verb, this.#id, this.#bodyLeft);
    }
    return to;
  }

  #takeBody(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.#bodyLeft);
    this.#bodyLeft -= to - from;
    this.#state = this.#bodyLeft === 0 ? "nul" : "body";
    this.#sink.eventData(chunk.subarray(from, to));
    return to;
  }

  #takeNul(chunk: Buffer, from: number): number {
    if (chunk[from] !== 0) {
      throw new TextError("an event does not end with a NUL");
    }
    this.#state = "text";
    this.#sink.eventEnd();
    return from + 1;
  }
}

export function encodeText(...fields: readonly (string | bigint | number)[]): Buffer {
  return Buffer.from(`${fields.join(" ")}\0`, "latin1");
}

/** What precedes an event's body: `EVENT id `, the newt's tag and length. A NUL follows the body. */
export function encodeEventHead(verb: "WRITE" | "EVENT", id: bigint, lengthBytes: number): Buffer {
  const text = Buffer.from(`${verb} ${id} `, "latin1");
  const head = Buffer.alloc(text.length + 1 + NEWT_LENGTH_BYTES);
  text.copy(head);
  head.writeUInt32LE(lengthBytes, text.length + 1);
  return head;
}
