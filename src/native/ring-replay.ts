// One read sent by native code, from a store's pages straight into a ring (native/addon/core_replay.h).
import { addon } from "./addon.ts";

/** An open store whose rows native code can walk by itself; made by the engine that has one (src/store/lmdb.ts). */
export interface BlockSource {
  /** The addon's own object. */
  readonly environment: object;
}

/** Which blocks, and for which request of the session. */
export interface ReplayWish {
  readonly source: BlockSource;
  /** What the keys of the log's blocks begin with, before the big-endian number of the first event. */
  readonly blocksPrefix: Buffer;
  /** The ship's number, 16 bytes, little-endian. */
  readonly shipBytes: Buffer;
  /** 1 real, 2 fake. */
  readonly kind: number;
  readonly log: number;
  readonly request: number;
  readonly fromId: bigint;
}

/** By the numbers of native/addon/core_replay.h. */
const STOPS = ["end", "credit", "room", "budget", "other", "broken", "changed"] as const;

export interface Replayed {
  /** Events that are wholly on their way. */
  readonly count: number;
  /** The event whose bytes come next, or go on. */
  readonly nextId: bigint;
  /** What was used of the credit. */
  readonly bodyBytes: number;
  /**
   * Why it ended: everything was sent; too little credit; no room; a turn's worth was sent; the next block is none that can be sent so (a
   * manifest, a gap, damage), and nothing of its event was; the client broke the ring; an event changed under way.
   */
  readonly stop: (typeof STOPS)[number];
  /** The end of a frame whose beginning was put: it must follow before anything else. */
  readonly rest: Buffer | null;
}

interface NativeReplay {
  run(throughId: bigint, creditBytes: bigint): Promise<Omit<Replayed, "stop"> & { readonly stop: number }>;
  grant(moreBytes: bigint): void;
  seek(id: bigint): void;
}

const Native = (
  addon as {
    RingReplay: new (
      hub: object,
      ringId: number,
      environment: object,
      blocksPrefix: Buffer,
      shipBytes: Buffer,
      kind: number,
      log: number,
      request: number,
      fromId: bigint,
    ) => NativeReplay;
  }
).RingReplay;

/** A read's place in its log. */
export class RingReplay {
  readonly #native: NativeReplay;

  /** `hub` is the addon's own; the ring must not have been closed. */
  constructor(hub: object, ringId: number, wish: ReplayWish) {
    const { source, blocksPrefix, shipBytes, kind, log, request, fromId } = wish;
    this.#native = new Native(hub, ringId, source.environment, blocksPrefix, shipBytes, kind, log, request, fromId);
  }

  /**
   * Sends what it can on a worker thread, in a bounded time. Until it is settled nobody else may put into the ring or publish; the ring may be closed.
   * `throughId` must be an acknowledged event.
   */
  async run(throughId: bigint, creditBytes: bigint): Promise<Replayed> {
    const { stop, ...rest } = await this.#native.run(throughId, creditBytes);
    return { ...rest, stop: STOPS[stop] ?? "broken" };
  }

  /** The client is ready to take more: counts for the turn that runs, while `run` is told all that there is when it begins. */
  grant(moreBytes: bigint): void {
    this.#native.grant(moreBytes);
  }

  /** Goes on at another event; never while it runs. */
  seek(id: bigint): void {
    this.#native.seek(id);
  }
}
