// A Unix stream socket as a transport: bytes in, bytes out, backpressure both ways. Knows nothing of events.
import type { Socket } from "node:net";
import { freeMemory } from "../native/memory.ts";
import { OUTPUT_BYTES_HIGH, type Transport, type TransportEnds } from "./transport.ts";

export interface TransportEvents extends TransportEnds {
  /** The bytes are the receiver's during the call only: what it keeps it copies. */
  data(chunk: Buffer): void;
}

interface SocketWithHandle extends Socket {
  readonly _handle?: { readonly fd?: number } | null;
}

export class StreamTransport implements Transport {
  readonly name = "stream";
  readonly lane = null;
  readonly #socket: SocketWithHandle;
  #paused = false;
  #choked = false;
  #ended = false;
  #closed = false;
  #abandoned = false;
  #drainWaiters: (() => void)[] = [];

  /** Takes over a connected socket. `stallTimeoutMs`: how long a peer may leave its answers unread. */
  constructor(socket: Socket, stallTimeoutMs: number, events: TransportEvents) {
    this.#socket = socket;
    // Not as the argument of `setTimeout`, which hears it once: a session that was idle for so long can stall later.
    socket.setTimeout(stallTimeoutMs);
    socket.on("timeout", () => {
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
      if (!this.#abandoned) {
        events.closed();
      }
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(...parts: readonly Buffer[]): void {
    this.sendThen(undefined, ...parts);
  }

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

  replay(): null {
    return null;
  }

  async room(): Promise<void> {
    while (this.#choked && !this.#closed) {
      await new Promise<void>((resolve) => this.#drainWaiters.push(resolve));
    }
  }

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

  /** The connection's descriptor while nothing is on its way in or out on our side; null where the session cannot move to another transport. */
  get quietDescriptor(): number | null {
    const socket = this.#socket;
    const fd = socket._handle?.fd;
    const quiet = !this.#ended && !this.#closed && !socket.destroyed && socket.writableLength === 0 && socket.readableLength === 0;
    return quiet && fd !== undefined && fd >= 0 ? fd : null;
  }

  /** Lets go of the connection without ending it: somebody else has a descriptor of his own. Nothing is said of it any more. */
  abandon(): void {
    this.#abandoned = true;
    this.#ended = true;
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
