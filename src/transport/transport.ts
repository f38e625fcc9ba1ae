// What sessions need of a transport, whichever it is: frames out in order, backpressure both ways, an end.
import type { LanePort } from "../native/ring-lane.ts";
import type { Replayed, ReplayWish } from "../native/ring-replay.ts";

/** Written and not yet taken by the peer: above this a sender should wait, and the peer is not read from. */
export const OUTPUT_BYTES_HIGH = 2 << 20;

/** A read whose frames native code makes and sends by itself. */
export interface Replay {
  /**
   * Sends events through `throughId` as far as the credit goes, in order with everything else, and resolves when it is time to look again: for
   * credit, for cancelling, or at once. Null when nobody takes output any more.
   */
  run(throughId: bigint, creditBytes: bigint): Promise<Replayed | null>;
  /** More credit, for the call of `run` that is under way. */
  grant(moreBytes: bigint): void;
  /** Goes on at another event. */
  seek(id: bigint): void;
}

export interface Transport {
  readonly name: "stream" | "ring";
  readonly closed: boolean;
  /** Sends bytes in order, from where they lie: they must not change until they are sent. */
  send(...parts: readonly Buffer[]): void;
  /** `send` that calls `sent` when the parts may change again: the peer can take them by itself, or they will never be sent. */
  sendThen(sent: (() => void) | undefined, ...parts: readonly Buffer[]): void;
  /** A read that goes from the store's memory into the transport's without coming by here; null where there is no such way. */
  replay(wish: ReplayWish): Replay | null;
  /** The way for plain appends that does not come by here either; null where there is none. */
  readonly lane: LanePort | null;
  /** Resolves when there is room for more output, or the transport has closed. */
  room(): Promise<void>;
  /** Stops reading from the peer until `resume`. */
  pause(): void;
  resume(): void;
  /** Sends what is left and takes nothing more. A peer that does not take it is the caller's to `destroy`. */
  end(): void;
  destroy(): void;
}

/** How a transport ends. */
export interface TransportEnds {
  /** The peer, or we, have closed; nothing follows. Said once. */
  closed(): void;
  /** The peer has not taken what was written for a whole stall timeout. */
  stalled(): void;
}
