// A Unix stream socket as a transport: bytes in, bytes out, backpressure both ways. Knows nothing of events.
import type { Socket } from "node:net";
import { freeMemory } from "../native/memory.ts";

/** Written and not yet taken by the peer: above this a sender should wait, and the peer is not read from. */
const OUTPUT_BYTES_HIGH = 2 << 20;

export interface TransportEvents {
  /** The bytes are the receiver's during the call only: what it keeps it copies. */
  data(chunk: Buffer): void;
  /** The peer, or we, have closed; nothing follows. Said once. */
  closed(): void;
  /** The peer has not taken what was written for a whole stall timeout. */
  stalled(): void;
}

export class StreamTransport {
  readonly #socket: Socket;
  #paused = false;
  #choked = false;
  #ended = false;
  #closed = false;
  #drainWaiters: (() => void)[] = [];

  /** Takes over a connected socket. `stallTimeoutMs`: how long a peer may leave its answers unread. */
  constructor(socket: Socket, stallTimeoutMs: number, events: TransportEvents) {
    this.#socket = socket;
    socket.setTimeout(stallTimeoutMs, () => {
      if (socket.writableLength > 0) {
        events.stalled();
      }
    });
    socket.on("data", (chunk: Buffer) => {
      events.data(chunk);
      freeMemory(chunk);
    });
    // An error is followed by "close"; a peer that dies in mid-write (EPIPE, ECONNRESET) is a peer that left.
    socket.on("error", () => socket.destroy());
    socket.on("drain", () => this.#drained());
    socket.on("close", () => {
      this.#closed = true;
      this.#wake();
      events.closed();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends bytes in order, from where they lie: they must not change until they are sent. */
  send(...parts: readonly Buffer[]): void {
    this.sendThen(undefined, ...parts);
  }

  /** `send` that calls `sent` when the parts may change again: they are with the peer's kernel, or will never be. */
  sendThen(sent: (() => void) | undefined, ...parts: readonly Buffer[]): void {
    if (this.#ended || this.#closed || this.#socket.destroyed) {
      sent?.();
      return;
    }
    if (parts.length > 1) {
      this.#socket.cork();
    }
    const last = parts.length - 1;
    for (let i = 0; i <= last; i++) {
      this.#socket.write(parts[i] as Buffer, i === last ? sent : undefined);
    }
    if (parts.length > 1) {
      this.#socket.uncork();
    }
    if (this.#socket.writableLength > OUTPUT_BYTES_HIGH && !this.#choked) {
      this.#choked = true;
      this.#socket.pause();
    }
  }

  /** Resolves when there is room for more output, or the transport has closed. */
  async room(): Promise<void> {
    while (this.#choked && !this.#closed) {
      await new Promise<void>((resolve) => this.#drainWaiters.push(resolve));
    }
  }

  /** Stops reading from the peer until `resume`. */
  pause(): void {
    this.#paused = true;
    if (!this.#ended) {
      this.#socket.pause();
    }
  }

  resume(): void {
    this.#paused = false;
    if (!this.#choked) {
      this.#socket.resume();
    }
  }

  /**
   * Sends what is left and takes nothing more. The peer's bytes are still read (and are the caller's to drop) until it closes: closed at once, a peer
   * in mid-write would see a broken pipe instead of our last word. A peer that stays is the caller's to `destroy`.
   */
  end(): void {
    this.#ended = true;
    this.#socket.end();
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #drained(): void {
    this.#choked = false;
    if (!this.#paused || this.#ended) {
      this.#socket.resume();
    }
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const wake of waiters) {
      wake();
    }
  }
}
