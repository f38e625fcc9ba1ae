// One connection: its handshake, then the flows of the version that was agreed on, and its end.
import { asSeguroError } from "../log/errors.ts";
import type { RingItem } from "../native/ring-hub.ts";
import { type ShipKind, shipNumber } from "../ship.ts";
import type { RingWish } from "../transport/rings.ts";
import type { StreamTransport } from "../transport/stream.ts";
import type { Transport, TransportEnds } from "../transport/transport.ts";
import { SeguroError } from "../wire/errors.ts";
import { encodeError } from "../wire/messages.ts";
import { encodeText, requireNumber, TextError, TextReader, type TextSink } from "../wire/text.ts";
import { type Context, type Peer, type SessionRole, type SessionStatus, VERSIONS } from "./context.ts";
import { FrameSession } from "./frame-session.ts";
import { TextSession } from "./text-session.ts";

/** The flows of one version after the handshake. */
export interface Flows {
  readonly role: SessionRole;
  /** Real or fake, once the ship is known. */
  readonly kind: ShipKind | null;
  push(chunk: Buffer): void;
  /** What came over the ring to which the session has moved. */
  takeItems?(items: readonly RingItem[]): void;
  /** The connection is gone: release what is held; resolves when the ship is free again. */
  close(): Promise<void>;
}

/** What flows may do to their session. */
export interface Host {
  readonly context: Context;
  /** The one of this moment: a session may move. */
  readonly transport: Transport;
  readonly peer: Peer;
  readonly number: number;
  /** For people and epoch records: "session 7 (pid 123)". */
  readonly title: string;
  /** Ends the session; in version 1 the peer is told why. */
  fail(error: SeguroError | TextError): void;
  /** The client has said everything that the handshake wants of it: its time limit no longer holds. */
  opened(): void;
  /** Moves the session into shared memory with the OPENED frame that `opened` makes; false when it stays, and nothing was sent. */
  moveToRing(wish: RingWish, opened: (ringBytes: number) => Buffer): boolean;
}

type Step = "hello" | "point" | "done";

const NO_SHIP = "-";
/** How long a peer that was told the end may take to close its side. */
const LINGER_MS = 1000;

export class Session implements Host, TextSink {
  readonly context: Context;
  readonly peer: Peer;
  readonly number: number;
  readonly #stream: StreamTransport;
  readonly #ends: TransportEnds;
  #transport: Transport;
  readonly #sinceMs: number;
  #cancelTimeout: () => void = () => undefined;
  readonly #reader: TextReader;
  #step: Step = "hello";
  /** What came after the handshake while the flows were being set up. */
  readonly #waiting: Buffer[] = [];
  #version: number | null = null;
  #point: string | null = null;
  #flows: Flows | null = null;
  #ended = false;
  #closing: Promise<void> | null = null;

  /** Says hello at once. `number` is this session's own among all of the sidecar's. */
  constructor(context: Context, stream: StreamTransport, ends: TransportEnds, peer: Peer, number: number) {
    this.context = context;
    this.#stream = stream;
    this.#transport = stream;
    this.#ends = ends;
    this.peer = peer;
    this.number = number;
    this.#sinceMs = context.clock.nowMs();
    this.#reader = new TextReader(this);
    this.#expectMore();
    stream.send(encodeText("SEGURO", ...VERSIONS));
  }

  /** Limits the time that the client may take for its next word. */
  #expectMore(): void {
    const { clock, limits } = this.context;
    this.#cancelTimeout = clock.after(limits.handshakeTimeoutMs, () =>
      this.fail(
        new SeguroError("handshake-timeout", "the session was not opened in time", "send HELLO, POINT and OPEN right after connecting"),
      ),
    );
  }

  get transport(): Transport {
    return this.#transport;
  }

  get title(): string {
    return `session ${this.number} (pid ${this.peer.pid})`;
  }

  status(): SessionStatus {
    return {
      session: this.number,
      ship: this.#point === NO_SHIP ? null : this.#point,
      kind: this.#flows?.kind ?? null,
      role: this.#flows?.role ?? "handshake",
      version: this.#version,
      transport: this.#transport.name,
      uid: this.peer.uid,
      pid: this.peer.pid,
      sinceMs: this.context.clock.nowMs() - this.#sinceMs,
    };
  }

  /** The transport's bytes. Whatever they are, at most this session ends. */
  data(chunk: Buffer): void {
    if (this.#ended) {
      return;
    }
    try {
      if (this.#flows !== null) {
        this.#flows.push(chunk);
        return;
      }
      const rest = this.#reader.push(chunk);
      if (rest.length > 0) {
        this.#waiting.push(Buffer.from(rest));
      }
    } catch (error) {
      this.fail(error instanceof TextError ? error : asSeguroError(error));
    }
  }

  /** The transport has closed. */
  closed(): Promise<void> {
    this.#ended = true;
    this.#cancelTimeout();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  moveToRing(wish: RingWish, opened: (ringBytes: number) => Buffer): boolean {
    const { rings, clock, limits, log } = this.context;
    if (rings === null || this.#ended) {
      return false;
    }
    const times = { stallTimeoutMs: limits.stallTimeoutMs, after: clock.after.bind(clock) };
    const moved = rings.move(this.#stream, wish, opened, times, {
      ...this.#ends,
      items: (items) => this.#items(items),
      broken: () => this.fail(new SeguroError("bad-ring", "the client stored an index that cannot be", "the client is broken")),
      failed: (error) => this.fail(asSeguroError(error)),
    });
    if ("refused" in moved) {
      log.info({ session: this.number, reason: moved.refused }, "no shared memory: the session stays on its socket");
      return false;
    }
    this.#transport = moved.ring;
    return true;
  }

  #items(items: readonly RingItem[]): void {
    if (!this.#ended) {
      this.#flows?.takeItems?.(items);
    }
  }

  opened(): void {
    if (!this.#ended) {
      this.#cancelTimeout();
    }
  }

  fail(error: SeguroError | TextError): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    const code = error instanceof SeguroError ? error.code : "text";
    const fields = { session: this.number, ship: this.#point, uid: this.peer.uid, pid: this.peer.pid, code };
    if (code === "internal") {
      this.context.log.error(
        { ...fields, stack: (error.cause instanceof Error ? error.cause : error).stack },
        `session ended: ${error.message}`,
      );
    } else {
      this.context.log.warn(fields, `session ended: ${error.message}`);
    }
    if (this.#version === 1 && error instanceof SeguroError && this.#step === "done") {
      // Frames begin after WELCOME: a ship that is refused right after POINT is welcomed first.
      const welcomed = this.#flows === null ? [encodeText("WELCOME", this.#point ?? NO_SHIP)] : [];
      this.transport.send(...welcomed, encodeError(0, error));
    }
    this.transport.end();
    this.#cancelTimeout();
    this.#cancelTimeout = this.context.clock.after(LINGER_MS, () => this.transport.destroy());
    // The claim ends with the session's last word, not when the peer has read it.
    this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#flows?.close();
  }

  block(text: string): void {
    const fields = text.split(" ");
    if (this.#step === "hello") {
      this.#hello(fields);
    } else if (this.#step === "point") {
      this.#pointAt(fields);
    }
  }

  #hello(fields: readonly string[]): void {
    const version = VERSIONS.find((known) => BigInt(known) === requireNumber(fields[1]));
    if (fields.length !== 2 || fields[0] !== "HELLO" || version === undefined) {
      throw new TextError("the client did not say HELLO with a version named to it");
    }
    this.#version = version;
    this.#step = "point";
    this.transport.send(encodeText("IDENTIFY", version));
  }

  #pointAt(fields: readonly string[]): void {
    const point = fields[1] ?? "";
    const admin = this.#version === 1 && point === NO_SHIP;
    if (fields.length !== 2 || fields[0] !== "POINT" || !(admin || shipNumber(point) !== null)) {
      throw new TextError("the client did not POINT at a ship");
    }
    this.#point = point;
    this.#step = "done";
    this.#reader.stop();
    // What follows in this chunk, and later, waits until the flows are there. That may be long (a store that is away), and is not the client's fault.
    this.transport.pause();
    this.#cancelTimeout();
    void this.#start(point);
  }

  async #start(point: string): Promise<void> {
    try {
      if (point !== NO_SHIP && !this.context.access.mayUse(this.peer.uid, point)) {
        throw new SeguroError("forbidden", `user ${this.peer.uid} may not use ${point}`, "the sidecar's configuration maps users to ships");
      }
      const flows =
        this.#version === 0 ? await TextSession.start(this, point) : await FrameSession.start(this, point === NO_SHIP ? null : point);
      this.#flows = flows;
      if (this.#ended) {
        await flows.close();
        return;
      }
      if (flows.role === "handshake") {
        this.#expectMore();
      }
      this.transport.resume();
      for (const chunk of this.#waiting.splice(0)) {
        this.data(chunk);
      }
    } catch (error) {
      this.fail(error instanceof TextError ? error : asSeguroError(error));
    }
  }

  eventBegin(): void {
    throw new TextError("an event before the handshake is done");
  }

  eventData(): void {
    throw new TextError("an event before the handshake is done");
  }

  eventEnd(): void {
    throw new TextError("an event before the handshake is done");
  }
}
