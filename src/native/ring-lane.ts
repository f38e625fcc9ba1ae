// A ring session's lane: its plain appends go from the ring to the store without coming by here (docs/lane.md; native/addon/core_lane.h).
import type { DigestPair } from "./digest-chain.ts";
import type { BlockSource } from "./ring-replay.ts";

/** What the lane's commits need to know. */
export interface LaneStart {
  readonly store: BlockSource;
  /** What the keys of the log's blocks begin with, before the big-endian number of the first event. */
  readonly blocksPrefix: Buffer;
  /** Must hold in every commit. */
  readonly check: { readonly key: Buffer; readonly value: Buffer };
  /** A block's header, of which ship, kind, log and epoch are used. */
  readonly header: Buffer;
  /** The log's height, not 0, and the digest there. */
  readonly height: bigint;
  readonly digest: Buffer;
  readonly blockBytes: number;
  readonly inFlightBytes: number;
}

export interface LaneHeight {
  readonly height: bigint;
  /** The newest that is known, at or below the height. */
  readonly pair: DigestPair;
}

export interface LaneEnd {
  /** By itself or because it was asked to, everything taken being durable; a check did not hold; a commit failed, with the store's code. */
  readonly ending: "drained" | "fenced" | "failed";
  readonly code: string;
  readonly message: string;
  /** What it has made durable. */
  readonly at: LaneHeight;
  /** Something is durable that the client has not been told. */
  readonly owesAcknowledgement: boolean;
}

export interface LaneEvents {
  /** Everything of the session that was on its way has come, and nothing more comes. */
  held(): void;
  /** More events are durable; said now and then. */
  rose(): void;
  /** The lane has ended; what the client sent behind it comes next. */
  ended(end: LaneEnd): void;
}

/** Of one session. After its ring was closed only what a lane that is on says still comes, and `stop` and `height` are of use. */
export interface LanePort {
  /** Lets nothing more of the session come once `held` was said, until `unhold` or `start`. Only while it is not held and there is no lane. */
  hold(events: LaneEvents): void;
  unhold(): void;
  /** Begins the lane, while held. False when the ring was closed. */
  start(start: LaneStart): boolean;
  /** Has a lane that is on end. */
  stop(): void;
  /** Of the lane that is on: what is durable now. */
  height(): LaneHeight;
}

/** The lanes' part of the native class. */
export interface NativeLanes {
  holdLane(id: number): void;
  unholdLane(id: number): void;
  startLane(
    id: number,
    environment: object,
    blocksPrefix: Buffer,
    checkKey: Buffer,
    checkValue: Buffer,
    header: Buffer,
    height: bigint,
    digest: Buffer,
    blockBytes: number,
    inFlightBytes: number,
  ): void;
  stopLane(id: number): void;
  laneHeightInto(id: number, bytes: Buffer): void;
  endLane(id: number): { ending: number; code: string; message: string; owes: boolean };
}

/** By the numbers of native/addon/core_lane.h. */
const ENDINGS = ["drained", "fenced", "failed"] as const;
/** u64 height, u64 id of the pair, its digest. */
const HEIGHT_BYTES = 48;

export class RingLane implements LanePort {
  readonly #native: NativeLanes;
  readonly #id: number;
  readonly #at = Buffer.alloc(HEIGHT_BYTES);
  #events: LaneEvents | null = null;
  #on = false;
  #closed = false;

  constructor(native: NativeLanes, id: number) {
    this.#native = native;
    this.#id = id;
  }

  /** It will say something that must be heard, though the ring is closed. */
  get on(): boolean {
    return this.#on;
  }

  hold(events: LaneEvents): void {
    this.#events = events;
    if (!this.#closed) {
      this.#native.holdLane(this.#id);
    }
  }

  unhold(): void {
    if (!this.#closed) {
      this.#native.unholdLane(this.#id);
    }
  }

  start(start: LaneStart): boolean {
    if (this.#closed) {
      return false;
    }
    const { store, blocksPrefix, check, header, height, digest, blockBytes, inFlightBytes } = start;
    const { key, value } = check;
    this.#native.startLane(this.#id, store.environment, blocksPrefix, key, value, header, height, digest, blockBytes, inFlightBytes);
    this.#on = true;
    return true;
  }

  stop(): void {
    this.#native.stopLane(this.#id);
  }

  height(): LaneHeight {
    const at = this.#at;
    this.#native.laneHeightInto(this.#id, at);
    return { height: at.readBigUInt64LE(0), pair: { id: at.readBigUInt64LE(8), digest: Buffer.from(at.subarray(16)) } };
  }

  /** What the hub hears, and that it has closed the ring. */
  said(what: "held" | "rose" | "ended" | "closed"): void {
    if (what === "closed") {
      this.#closed = true;
    } else if (what === "held") {
      this.#events?.held();
    } else if (!this.#on) {
      throw new Error("invariant: a lane that was not begun has spoken");
    } else if (what === "rose") {
      this.#events?.rose();
    } else {
      this.#end();
    }
  }

  #end(): void {
    const at = this.height();
    const { ending, code, message, owes } = this.#native.endLane(this.#id);
    this.#on = false;
    this.#events?.ended({ ending: ENDINGS[ending] ?? "failed", code, message, at, owesAcknowledgement: owes });
  }
}
