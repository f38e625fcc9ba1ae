// Moves sessions from their sockets into shared memory, where that is wished and possible.
import type { AssemblerOptions } from "../native/assembler.ts";
import { RingHub } from "../native/ring-hub.ts";
import { isRingSize, RING_BYTES_MIN } from "../wire/constants.ts";
import { type RingEvents, type RingTimes, RingTransport } from "./ring.ts";
import type { StreamTransport } from "./stream.ts";

export interface RingWish {
  /** Of each direction's data area; 0n leaves it to us. */
  readonly dataBytes: bigint;
  readonly assembler: AssemblerOptions;
  /** The id of the first record, 0n for any; null for a session that may not append. */
  readonly expectedId: bigint | null;
}

/** What came of it: the ring, or why there is none. */
export type Moved = { readonly ring: RingTransport } | { readonly refused: string };

export class Rings {
  readonly #sizeBytes: number;
  #hub: RingHub | null = null;

  /** `sizeBytes`: of each direction's data area, unless a client wishes for less. */
  constructor(sizeBytes: number) {
    if (!isRingSize(sizeBytes)) {
      throw new RangeError(`rings: ${sizeBytes} is no size of a ring`);
    }
    this.#sizeBytes = sizeBytes;
  }

  /**
   * Moves a session: sends the frame that `opened` makes of the ring's total size, with the memory, and lets go of the socket. When it is
   * refused nothing was sent. Throws when the connection has become useless.
   */
  move(stream: StreamTransport, wish: RingWish, opened: (ringBytes: number) => Buffer, times: RingTimes, events: RingEvents): Moved {
    const fd = stream.quietDescriptor;
    if (fd === null) {
      return { refused: "the socket has bytes on their way" };
    }
    this.#hub ??= new RingHub();
    const hub = this.#hub;
    const made = hub.create(fd, this.#sizeFor(wish.dataBytes), wish.assembler);
    if (typeof made === "string") {
      return { refused: made };
    }
    if (wish.expectedId !== null) {
      hub.accept(made.id, wish.expectedId);
    }
    const ring = new RingTransport(hub, made.id, times, events);
    const refused = hub.start(made.id, opened(made.totalBytes), ring.listener);
    if (refused !== null) {
      return { refused };
    }
    stream.abandon();
    return { ring };
  }

  /** The least size that holds the wish, but never more than ours: memory is the sidecar's to give. */
  #sizeFor(wishedBytes: bigint): number {
    if (wishedBytes === 0n) {
      return this.#sizeBytes;
    }
    let bytes = RING_BYTES_MIN;
    while (bytes < this.#sizeBytes && BigInt(bytes) < wishedBytes) {
      bytes *= 2;
    }
    return bytes;
  }
}
