// A shared-memory ring as a transport: output goes straight into the memory, what does not fit waits here in order (docs/ring.md).
import type { RingHub, RingItem, RingListener } from "../native/ring-hub.ts";
import type { LanePort } from "../native/ring-lane.ts";
import type { Replayed, ReplayWish, RingReplay } from "../native/ring-replay.ts";
import { OUTPUT_BYTES_HIGH, type Replay, type Transport, type TransportEnds } from "./transport.ts";

export interface RingEvents extends TransportEnds {
  /** What the client sent, in order. */
  items(items: readonly RingItem[]): void;
  /** The client has broken the ring's rules for our output: end the session. */
  broken(): void;
  /** `items` threw. */
  failed(error: unknown): void;
}

export interface RingTimes {
  /** How long a client may leave its answers unread. */
  readonly stallTimeoutMs: number;
  /** Calls `run` after `delayMs`; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

interface Waiting {
  readonly bytes: Buffer;
  at: number;
  readonly sent: (() => void) | undefined;
}

export class RingTransport implements Transport {
  readonly name = "ring";
  readonly lane: LanePort;
  readonly #hub: RingHub;
  readonly #id: number;
  readonly #events: RingEvents;
  readonly #times: RingTimes;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #paused = false;
  #choked = false;
  /** Nobody takes output any more. */
  #gone = false;
  #ended = false;
  #closed = false;
  /** What the hub was told last. */
  #heldBack = false;
  #roomWaiters: (() => void)[] = [];
  /** A worker thread has our half of the ring: what is sent meanwhile waits. */
  #lent = false;
  #turnWaiters: (() => void)[] = [];
  #cancelStall: (() => void) | null = null;
  #progressed = false;

  constructor(hub: RingHub, id: number, times: RingTimes, events: RingEvents) {
    this.#hub = hub;
    this.#id = id;
    this.lane = hub.lane(id);
    this.#times = times;
    this.#events = events;
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(...parts: readonly Buffer[]): void {
    this.sendThen(undefined, ...parts);
  }

  sendThen(sent: (() => void) | undefined, ...parts: readonly Buffer[]): void {
    if (this.#ended || this.#closed || this.#gone) {
      sent?.();
      return;
    }
    const last = parts.length - 1;
    for (let i = 0; i <= last; i++) {
      const bytes = parts[i] as Buffer;
      this.#queue.push({ bytes, at: 0, sent: i === last ? sent : undefined });
      this.#queuedBytes += bytes.length;
    }
    this.#flush();
    if (this.#queuedBytes > OUTPUT_BYTES_HIGH && !this.#choked) {
      this.#choked = true;
      this.#tellPaused();
    }
  }

  async room(): Promise<void> {
    while (this.#choked && !this.#closed) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
    }
  }

  replay(wish: ReplayWish): Replay | null {
    if (this.#closed || this.#gone) {
      return null;
    }
    const replay = this.#hub.replay(this.#id, wish);
    return {
      run: (throughId, creditBytes) => this.#lendTo(replay, throughId, creditBytes),
      grant: (moreBytes) => replay.grant(moreBytes),
      seek: (id) => replay.seek(id),
    };
  }

  pause(): void {
    this.#paused = true;
    this.#tellPaused();
  }

  resume(): void {
    this.#paused = false;
    this.#tellPaused();
  }

  end(): void {
    if (this.#ended || this.#closed) {
      return;
    }
    this.#ended = true;
    this.#tellPaused();
    this.#closeIfDone();
  }

  destroy(): void {
    this.#drop();
    this.#close();
  }

  /** What the hub calls. */
  get listener(): RingListener {
    return {
      items: (items) => {
        if (!this.#ended) {
          this.#events.items(items);
        }
      },
      room: () => this.#flush(),
      gone: () => this.#drop(),
      ended: () => this.destroy(),
      failed: (error) => this.#events.failed(error),
    };
  }

  /** Lends our half of the ring for one turn, once everything that was sent before is in it. */
  async #lendTo(replay: RingReplay, throughId: bigint, creditBytes: bigint): Promise<Replayed | null> {
    while ((this.#lent || this.#queue.length > 0) && !this.#closed && !this.#gone) {
      await new Promise<void>((resolve) => this.#turnWaiters.push(resolve));
    }
    if (this.#closed || this.#gone) {
      return null;
    }
    this.#lent = true;
    let sent: Replayed | null = null;
    try {
      sent = await replay.run(throughId, creditBytes);
    } finally {
      this.#lent = false;
      this.#takeBack(sent);
    }
    return sent;
  }

  #takeBack(sent: Replayed | null): void {
    this.#progressed ||= sent !== null && sent.bodyBytes > 0;
    if (sent?.stop === "broken") {
      this.#break();
    } else if (sent?.rest != null && !this.#gone) {
      this.#queue.unshift({ bytes: sent.rest, at: 0, sent: undefined });
      this.#queuedBytes += sent.rest.length;
    }
    this.#flush();
  }

  #break(): void {
    this.#drop();
    // Never inside a caller's `send`: it is not prepared for the end of its session there.
    queueMicrotask(() => this.#events.broken());
  }

  #flush(): void {
    while (!this.#closed && !this.#gone && !this.#lent) {
      const full = this.#putAll();
      const room = full === "broken" ? -1 : this.#hub.publish(this.#id, full === "full");
      if (room < 0) {
        this.#break();
        return;
      }
      if (full !== "full") {
        break;
      }
      if (room === 0) {
        this.#watchForStall();
        break;
      }
    }
    this.#unchoke();
    this.#giveTurns();
    this.#closeIfDone();
  }

  #putAll(): "all" | "full" | "broken" {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const taken = this.#hub.put(this.#id, first.bytes, first.at);
      if (taken < 0) {
        return "broken";
      }
      this.#progressed ||= taken > 0;
      first.at += taken;
      this.#queuedBytes -= taken;
      if (first.at < first.bytes.length) {
        return "full";
      }
      this.#queue.shift();
      first.sent?.();
    }
    return "all";
  }

  /** A client that takes nothing for the whole time has stalled; one that takes a little, however slowly, has not. */
  #watchForStall(): void {
    if (this.#cancelStall !== null) {
      return;
    }
    this.#progressed = false;
    this.#cancelStall = this.#times.after(this.#times.stallTimeoutMs, () => {
      this.#cancelStall = null;
      if (this.#queue.length === 0 || this.#closed) {
        return;
      }
      if (this.#progressed) {
        this.#watchForStall();
      } else {
        this.#events.stalled();
      }
    });
  }

  #unchoke(): void {
    if (this.#choked && this.#queuedBytes <= OUTPUT_BYTES_HIGH / 2) {
      this.#choked = false;
      this.#tellPaused();
      this.#wake();
    }
  }

  /** The hub hears of changes only. Once ended nothing is taken in any more. */
  #tellPaused(): void {
    const paused = this.#paused || this.#choked || this.#ended;
    if (this.#closed || paused === this.#heldBack) {
      return;
    }
    this.#heldBack = paused;
    if (paused) {
      this.#hub.pause(this.#id);
    } else {
      this.#hub.resume(this.#id);
    }
  }

  /** Forgets what waits to be sent: nobody will take it. */
  #drop(): void {
    this.#gone = true;
    const dropped = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { sent } of dropped) {
      sent?.();
    }
    this.#unchoke();
    this.#giveTurns();
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#ended && this.#queue.length === 0 && !this.#lent) {
      this.#close();
    }
  }

  #close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.#cancelStall?.();
    this.#hub.close(this.#id);
    this.#wake();
    this.#giveTurns();
    queueMicrotask(() => this.#events.closed());
  }

  /** To whoever waits for our half of the ring: each looks for himself. */
  #giveTurns(): void {
    if (this.#turnWaiters.length > 0 && (this.#queue.length === 0 || this.#closed || this.#gone)) {
      const waiters = this.#turnWaiters;
      this.#turnWaiters = [];
      for (const wake of waiters) {
        wake();
      }
    }
  }

  #wake(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const wake of waiters) {
      wake();
    }
  }
}
