// Bytes of events kept in the memory they came in, by an engine that stores nothing elsewhere (native/addon/event_memory.h).
import { addon } from "./addon.ts";

/** What the addon knows of it. */
type Kept = object;

const native = addon as {
  keepMemory(bytes: Uint8Array): Kept | null;
  copyKept(kept: Kept, into: Uint8Array, offset: number): void;
  dropKept(kept: Kept): void;
};

/**
 * A part of memory that lives on whoever frees the Buffer it came as, and outside of what the garbage collector counts: it would run over the
 * whole heap every 64 MiB of events to find that none may go.
 */
export class KeptBytes {
  readonly length: number;
  readonly #kept: Kept;

  private constructor(kept: Kept, length: number) {
    this.#kept = kept;
    this.length = length;
  }

  /** Keeps `bytes`, which must not change any more; null where they lie in memory that cannot be kept so, and must be copied. */
  static of(bytes: Uint8Array): KeptBytes | null {
    const kept = native.keepMemory(bytes);
    return kept === null ? null : new KeptBytes(kept, bytes.length);
  }

  /** Copies all of it; says where what follows it would begin. */
  copy(into: Uint8Array, offset: number): number {
    native.copyKept(this.#kept, into, offset);
    return offset + this.length;
  }

  /** It is needed no longer: given back now instead of when the garbage collector comes by. */
  drop(): void {
    native.dropKept(this.#kept);
  }
}
