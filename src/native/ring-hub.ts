// The rings of all sessions: one native thread drains them and reports here, in the order of each client's stream (native/addon/ring_hub.h).
import { addon } from "./addon.ts";
import { type Assembled, type AssemblerOptions, adoptAssembled } from "./assembler.ts";
import { type LanePort, type NativeLanes, RingLane } from "./ring-lane.ts";
import { type ReplayWish, RingReplay } from "./ring-replay.ts";

/** What a client sent, or what became of it. */
export type RingItem =
  | { readonly kind: "assembled"; readonly taken: Assembled }
  /** Any frame but an APPEND that the session may send; its body is the receiver's own. `atBoundary`: no record is half way. */
  | { readonly kind: "frame"; readonly header: RingFrameHeader; readonly body: Buffer; readonly atBoundary: boolean }
  /** The bytes that the last BATCH announced have come. */
  | { readonly kind: "batch-end"; readonly atBoundary: boolean }
  /** A record was refused: an AssemblerStatus, and the event's id. Nothing follows. */
  | { readonly kind: "refused"; readonly status: number; readonly id: bigint }
  /** The ring's rules or a frame's were broken: a number of docs/protocol.md, "Errors". Nothing follows. */
  | { readonly kind: "broken"; readonly code: number; readonly reason: string };

export interface RingFrameHeader {
  readonly type: number;
  readonly flags: number;
  readonly request: number;
  readonly bodyBytes: number;
}

/** How one session hears of its ring. No call may throw, but for invariants that have failed. */
export interface RingListener {
  items(items: readonly RingItem[]): void;
  /** There may be room for output. */
  room(): void;
  /** The client has gone and takes no output any more; what it left in the ring still comes. */
  gone(): void;
  /** The client has gone, and all that it left was handed on. */
  ended(): void;
  /** Handling an item failed with something that is no refusal. */
  failed(error: unknown): void;
}

interface NativeItem {
  readonly kind: number;
  readonly flag: boolean;
  readonly large: boolean;
  readonly last: boolean;
  readonly firstId: bigint;
  readonly lastId: bigint;
  readonly count: number;
  readonly index: number;
  readonly recordBytes: number;
  readonly type: number;
  readonly flags: number;
  readonly request: number;
  readonly bodyBytes: number;
  readonly status: number;
  readonly id: bigint;
  readonly reason: string;
  readonly bytes: Buffer;
  readonly owned: boolean;
}

interface NativeHub extends NativeLanes {
  create(
    socketFd: number,
    dataBytes: number,
    runBytes: number,
    pieceBytes: number,
    eventBytesMax: number,
  ): { id: number; totalBytes: number } | string;
  start(id: number, opened: Buffer): string | null;
  accept(id: number, expectedId: bigint): void;
  put(id: number, bytes: Buffer, offset: number): number;
  publish(id: number, wait: boolean): number;
  pause(id: number): void;
  resume(id: number): void;
  close(id: number): void;
}

const Native = (addon as { RingHub: new (deliver: (id: number, items: NativeItem[]) => void) => NativeHub }).RingHub;

/** The kinds, as in native/addon/core_ring.h. */
const ASSEMBLED = 1;
const FRAME = 2;
const BATCH_END = 3;
const REFUSED = 4;
const BROKEN = 5;
const ENDED = 6;
const ROOM = 7;
const GONE = 8;
const HELD = 9;
const ROSE = 10;
const LANE_END = 11;

function assembledOf(item: NativeItem): Assembled {
  const { firstId, lastId, count, recordBytes, index, last, bytes } = item;
  if (item.owned) {
    adoptAssembled(bytes);
  }
  return item.large ? { large: { id: firstId, recordBytes, index, bytes, last } } : { run: { firstId, lastId, count, bytes } };
}

function itemOf(item: NativeItem): RingItem | null {
  switch (item.kind) {
    case ASSEMBLED:
      return { kind: "assembled", taken: assembledOf(item) };
    case FRAME: {
      const { type, flags, request, bodyBytes } = item;
      return { kind: "frame", header: { type, flags, request, bodyBytes }, body: item.bytes, atBoundary: item.flag };
    }
    case BATCH_END:
      return { kind: "batch-end", atBoundary: item.flag };
    case REFUSED:
      return { kind: "refused", status: item.status, id: item.id };
    case BROKEN:
      return { kind: "broken", code: item.status, reason: item.reason };
    default:
      return null;
  }
}

/** What a lane has to say comes by itself. */
function saidOf(kind: number | undefined): "held" | "rose" | "ended" | null {
  if (kind === HELD) {
    return "held";
  }
  if (kind === ROSE) {
    return "rose";
  }
  return kind === LANE_END ? "ended" : null;
}

/** A client's ring, named by number: see the native class for what the numbers it answers mean. */
export interface Ring {
  readonly id: number;
  /** Of the whole memory. */
  readonly totalBytes: number;
}

export class RingHub {
  readonly #native: NativeHub;
  readonly #listeners = new Map<number, RingListener>();
  /** A lane that is on outlives its listener. */
  readonly #lanes = new Map<number, RingLane>();

  constructor() {
    this.#native = new Native((id, items) => this.#deliver(id, items));
  }

  /** Makes a ring for the connection behind a descriptor; the reason as text where the kernel refuses. */
  create(socketFd: number, dataBytes: number, options: AssemblerOptions): Ring | string {
    const { runBytes, pieceBytes, eventBytesMax } = options;
    return this.#native.create(socketFd, dataBytes, runBytes, pieceBytes, eventBytesMax);
  }

  /** Before `start`, for a session that may append: the id of its first record, 0n for any. */
  accept(id: number, expectedId: bigint): void {
    this.#native.accept(id, expectedId);
  }

  /**
   * Sends OPENED with the memory, after which the ring is the session. Null, or the reason why nothing was sent: the ring is gone then. Throws
   * when a part was sent, because the connection can be used no more.
   */
  start(id: number, opened: Buffer, listener: RingListener): string | null {
    const refused = this.#native.start(id, opened);
    if (refused === null) {
      this.#listeners.set(id, listener);
    } else {
      this.#lanes.delete(id);
    }
    return refused;
  }

  /** Puts bytes from `offset` on as far as there is room; says how many, or -1 when the client has broken the ring. */
  put(id: number, bytes: Buffer, offset: number): number {
    return this.#native.put(id, bytes, offset);
  }

  /** Shows the client what was put. With `wait`: 0 promises a call of `room`, above 0 there is room now, -1 as for `put`. */
  publish(id: number, wait: boolean): number {
    return this.#native.publish(id, wait);
  }

  /** A read that native code sends: while it runs, neither `put` nor `publish` may be called. */
  replay(id: number, wish: ReplayWish): RingReplay {
    return new RingReplay(this.#native, id, wish);
  }

  /** One for each ring, before `start`. */
  lane(id: number): LanePort {
    const lane = new RingLane(this.#native, id);
    this.#lanes.set(id, lane);
    return lane;
  }

  pause(id: number): void {
    this.#native.pause(id);
  }

  resume(id: number): void {
    this.#native.resume(id);
  }

  /** Ends the session: what was published stays for the client to take. The id is of no use afterwards. */
  close(id: number): void {
    this.#listeners.delete(id);
    this.#native.close(id);
    this.#tellLane(id, "closed");
  }

  #tellLane(id: number, what: Parameters<RingLane["said"]>[0]): void {
    const lane = this.#lanes.get(id);
    lane?.said(what);
    if (lane?.on !== true && !this.#listeners.has(id)) {
      this.#lanes.delete(id);
    }
  }

  #deliver(id: number, natives: readonly NativeItem[]): void {
    const listener = this.#listeners.get(id);
    const said = saidOf(natives[0]?.kind);
    try {
      if (said !== null) {
        this.#tellLane(id, said);
      }
    } catch (error) {
      listener?.failed(error);
    }
    if (listener === undefined || said !== null) {
      return;
    }
    try {
      const items: RingItem[] = [];
      for (const native of natives) {
        const item = itemOf(native);
        if (item !== null) {
          items.push(item);
        }
      }
      if (items.length > 0) {
        listener.items(items);
      }
      this.#signal(listener, natives);
    } catch (error) {
      listener.failed(error);
    }
  }

  /** What is no part of the client's stream always comes by itself or last. */
  #signal(listener: RingListener, natives: readonly NativeItem[]): void {
    const kind = natives.at(-1)?.kind;
    if (kind === ROOM) {
      listener.room();
    } else if (kind === GONE) {
      listener.gone();
    } else if (kind === ENDED) {
      listener.ended();
    }
  }
}
