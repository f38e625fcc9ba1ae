// A value as the engine in memory keeps it: the pieces it came in, without another copy where that can be.
import { KeptBytes } from "../native/kept-memory.ts";

/** Below this a copy costs less than keeping. */
const KEEP_FROM_BYTES = 32 * 1024;

/** Worth it, and not a small part of much memory that would live on for it. */
function keep(piece: Uint8Array): KeptBytes | null {
  return piece.length >= KEEP_FROM_BYTES && piece.length * 2 >= piece.buffer.byteLength ? KeptBytes.of(piece) : null;
}

export class StoredValue {
  readonly length: number;
  readonly #pieces: readonly (Buffer | KeptBytes)[];

  constructor(pieces: readonly Uint8Array[]) {
    let length = 0;
    this.#pieces = pieces.map((piece) => {
      length += piece.length;
      return keep(piece) ?? Buffer.from(piece);
    });
    this.length = length;
  }

  /** Copies it into `to` from `at` on; says where what follows it would begin. */
  copy(to: Buffer, at: number): number {
    let end = at;
    for (const piece of this.#pieces) {
      end = piece instanceof KeptBytes ? piece.copy(to, end) : end + piece.copy(to, end);
    }
    return end;
  }

  equals(bytes: Buffer): boolean {
    return bytes.length === this.length && this.toBuffer().equals(bytes);
  }

  /** A private copy. */
  toBuffer(): Buffer {
    const bytes = Buffer.allocUnsafe(this.length);
    this.copy(bytes, 0);
    return bytes;
  }

  /** It is in the store no longer. */
  drop(): void {
    for (const piece of this.#pieces) {
      if (piece instanceof KeptBytes) piece.drop();
    }
  }
}
