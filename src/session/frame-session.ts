// Protocol 1 after its handshake: OPEN, then frames to the flows that they belong to.
import { asSeguroError } from "../log/errors.ts";
import { BATCH_BYTES_MAX, BLOCK_BYTES, IN_FLIGHT_BYTES, PIECE_BYTES } from "../log/limits.ts";
import type { Log } from "../log/log.ts";
import type { Writer } from "../log/writer.ts";
import type { RingItem } from "../native/ring-hub.ts";
import { type ShipKind, shipText } from "../ship.ts";
import { ADMIN_MORE, Frame, PING_BYTES_MAX, READ_TAIL, READS_MAX } from "../wire/constants.ts";
import { SeguroError } from "../wire/errors.ts";
import { decodeRead, decodeU64 } from "../wire/flows.ts";
import { encodeFrame, type FrameHeader, FrameReader, type FrameSink } from "../wire/frames.ts";
import { decodeBatch, decodeOpen, encodeError, encodeHeight, encodeOpened, expectBytes, NO_DIGEST, type Open } from "../wire/messages.ts";
import { expectedIdOf } from "./append-rules.ts";
import { Appender } from "./appender.ts";
import type { SessionRole } from "./context.ts";
import { ReadFlow } from "./read-flow.ts";
import { isRequest, Requests } from "./requests.ts";
import { RingIntake } from "./ring-intake.ts";
import type { Flows, Host } from "./session.ts";
import { judge } from "./verdict.ts";
import { welcome } from "./welcome.ts";

/** Requests that may wait for their turn before the session is not read from any more. */
const REQUESTS_MAX = 64;

export class FrameSession implements Flows, FrameSink {
  readonly #host: Host;
  readonly #point: string | null;
  readonly #frames = new FrameReader(this);
  #role: SessionRole = "handshake";
  #opening = false;
  /** Frames that came while the session was being opened. */
  #early: (() => void)[] = [];
  #log: Log | null = null;
  #writer: Writer | null = null;
  /** Takes the records of APPEND frames; null once the session has moved to a ring, and for readers. */
  #appender: Appender | null = null;
  #ring: RingIntake | null = null;
  #requests: Requests | null = null;
  #doneReading: (() => void) | null = null;
  readonly #reads = new Map<number, ReadFlow>();
  #requestChain: Promise<void> = Promise.resolve();
  #requestsWaiting = 0;
  #closed = false;

  private constructor(host: Host, point: string | null) {
    this.#host = host;
    this.#point = point;
  }

  /** Welcomes the client; nothing is claimed before OPEN. `point` is null for administration. */
  static async start(host: Host, point: string | null): Promise<FrameSession> {
    host.transport.send(await welcome(host, point));
    return new FrameSession(host, point);
  }

  get role(): SessionRole {
    return this.#role;
  }

  get kind(): ShipKind | null {
    return this.#log?.name.ship.kind ?? null;
  }

  push(chunk: Buffer): void {
    this.#frames.push(chunk);
    this.#applyBackpressure();
  }

  takeItems(items: readonly RingItem[]): void {
    for (const item of items) {
      if (this.#closed) {
        return;
      }
      this.#ring?.take(item);
    }
    this.#applyBackpressure();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const read of this.#reads.values()) {
      read.cancel();
    }
    this.#doneReading?.();
    if (this.#writer !== null) {
      await this.#host.context.logs.release(this.#writer);
    }
  }

  streams(type: number): boolean {
    return type === Frame.APPEND;
  }

  frame(header: FrameHeader, body: Buffer): void {
    // A copy: most frames are answered in their turn, long after the chunk they came in is gone.
    const kept = Buffer.from(body);
    if (this.#opening) {
      this.#early.push(() => this.#frame(header, kept));
    } else {
      this.#frame(header, kept);
    }
  }

  piece(header: FrameHeader, piece: Buffer, begins: boolean): void {
    if (this.#opening) {
      const kept = Buffer.from(piece);
      this.#early.push(() => this.#append(header, kept, begins));
    } else {
      this.#append(header, piece, begins);
    }
  }

  #applyBackpressure(): void {
    const full = this.#opening || this.#requestsWaiting >= REQUESTS_MAX || this.#writer?.hasRoom === false;
    if (full) {
      this.#host.transport.pause();
    }
  }

  #append(header: FrameHeader, piece: Buffer, begins: boolean): void {
    if (header.flags !== 0 || header.bodyBytes % 8 !== 0) {
      throw new SeguroError("bad-frame", "an APPEND with flags, or of a length that is no multiple of 8", "records are padded to 8 bytes");
    }
    if (this.#role === "handshake") {
      throw new SeguroError("not-open", "APPEND before OPEN", "open the session first");
    }
    if (this.#appender !== null) {
      this.#appender.push(piece);
    } else if (begins) {
      this.#refuse(header.request, new SeguroError("bad-role", "this session may not append", "open it with the role write"));
    }
  }

  #frame(header: FrameHeader, body: Buffer): void {
    if (header.flags !== 0) {
      throw new SeguroError("bad-frame", `flags ${header.flags} on a frame of type ${header.type}`, "no flags are known from clients");
    }
    if (header.type === Frame.OPEN) {
      this.#open(decodeOpen(body));
      return;
    }
    if (header.type === 0 || header.type > Frame.ADMIN) {
      throw new SeguroError("bad-type", `a frame of type ${header.type}`, "see docs/protocol.md for the types a client may send");
    }
    if (this.#role === "handshake") {
      throw new SeguroError("not-open", `a frame of type ${header.type} before OPEN`, "open the session first");
    }
    try {
      this.#dispatch(header, body);
    } catch (error) {
      const known = asSeguroError(error);
      if (known.fatal) {
        throw known;
      }
      this.#refuse(header.request, known);
    }
  }

  #dispatch(header: FrameHeader, body: Buffer): void {
    const { request, type } = header;
    if (type === Frame.PING) {
      if (body.length > PING_BYTES_MAX) {
        throw new SeguroError("bad-frame", `a PING of ${body.length} bytes`, `at most ${PING_BYTES_MAX}`);
      }
      this.#host.transport.send(encodeFrame(Frame.PONG, request, body));
    } else if (type === Frame.ADMIN) {
      this.#inTurn(request, () => this.#admin(request, body));
    } else if (this.#log === null) {
      throw new SeguroError("bad-role", "an administration session has no log", "open a session of role read or write for a ship");
    } else if (type === Frame.READ) {
      this.#startRead(this.#log, request, body);
    } else if (type === Frame.CREDIT) {
      const moreBytes = decodeU64(body, "CREDIT");
      this.#readOf(request)?.credit(moreBytes);
    } else if (type === Frame.CANCEL) {
      expectBytes(body, 0, "CANCEL");
      this.#readOf(request)?.cancel();
    } else if (type === Frame.BATCH || type === Frame.APPEND) {
      // Records themselves never come here: this is a BATCH, or the APPEND of a session that may not append.
      const appends = this.#ring ?? this.#appender;
      if (this.#writer === null || appends === null) {
        throw new SeguroError("bad-role", "this session may not append", "open it with the role write");
      }
      appends.beginBatch(decodeBatch(body));
    } else if (isRequest(type)) {
      this.#inTurn(request, async () => {
        const answer = await this.#requests?.answer(header, body);
        if (answer !== undefined) {
          this.#host.transport.send(answer);
        }
      });
    }
  }

  /** A credit or cancel may cross the end of its read on the way; that is no error. */
  #readOf(request: number): ReadFlow | undefined {
    return this.#reads.get(request);
  }

  #startRead(log: Log, request: number, body: Buffer): void {
    const read = decodeRead(body);
    if (this.#reads.has(request) || (read.flags & ~READ_TAIL) !== 0) {
      throw new SeguroError("bad-read", `read ${request} is running already, or its flags are unknown`, "give each read its own number");
    }
    if (this.#reads.size >= READS_MAX) {
      throw new SeguroError("too-many-reads", `${READS_MAX} reads are running`, "end one first");
    }
    const flow = new ReadFlow(this.#host.context.logs, log, this.#host.transport, request, read, {
      ended: () => this.#reads.delete(request),
      failed: (error) => this.#host.fail(error),
    });
    this.#reads.set(request, flow);
  }

  /** Runs a request after those before it; its failure is its answer. */
  #inTurn(request: number, work: () => Promise<void>): void {
    this.#requestsWaiting++;
    this.#requestChain = this.#requestChain
      // An answer may be 30,000 times as long as its request: a client that does not read them gets no further ones made.
      .then(() => this.#host.transport.room())
      .then(() => (this.#closed ? undefined : work()))
      .catch((error: unknown) => this.#refuse(request, asSeguroError(error)))
      .finally(() => {
        this.#requestsWaiting--;
        this.#resumeIfRoom();
      });
  }

  #refuse(request: number, error: SeguroError): void {
    if (error.fatal) {
      this.#host.fail(error);
    } else {
      this.#host.transport.send(encodeError(request, error));
    }
  }

  #resumeIfRoom(): void {
    if (!this.#opening && this.#requestsWaiting < REQUESTS_MAX && this.#writer?.hasRoom !== false) {
      this.#host.transport.resume();
    }
  }

  async #admin(request: number, body: Buffer): Promise<void> {
    const { context, transport, peer, number } = this.#host;
    if (this.#role !== "admin") {
      throw new SeguroError("bad-role", "this session may not administer", "open it with the role admin");
    }
    let asked: unknown;
    try {
      asked = JSON.parse(body.toString("utf8"));
    } catch (cause) {
      throw new SeguroError("bad-admin", "the request is not JSON", "see docs/protocol.md, Administration", { cause });
    }
    const answer = await context.admin(asked, peer.uid, number, (progress) =>
      transport.send(encodeFrame(Frame.ADMIN_IS, request, Buffer.from(JSON.stringify(progress)), ADMIN_MORE)),
    );
    transport.send(encodeFrame(Frame.ADMIN_IS, request, Buffer.from(JSON.stringify(answer))));
  }

  #open(open: Open): void {
    if (this.#role !== "handshake") {
      throw new SeguroError("already-open", "a second OPEN", "one session opens one log; connect again for another");
    }
    this.#opening = true;
    this.#host.opened();
    this.#openAs(open).then(
      () => this.#afterOpening(),
      (error: unknown) => this.#host.fail(asSeguroError(error)),
    );
  }

  #afterOpening(): void {
    this.#opening = false;
    if (this.#closed) {
      return;
    }
    try {
      for (const run of this.#early.splice(0)) {
        run();
      }
    } catch (error) {
      this.#host.fail(asSeguroError(error));
    }
    this.#resumeIfRoom();
    this.#applyBackpressure();
  }

  async #openAs(open: Open): Promise<void> {
    if (open.role === "admin") {
      this.#openAdmin();
      return;
    }
    if (this.#point === null) {
      throw new SeguroError("bad-open", `role ${open.role} without a ship`, "POINT at the ship, or open with the role admin");
    }
    const { logs, log: report } = this.#host.context;
    const { ship } = await logs.resolve(this.#point, open.kind);
    if (open.role === "write") {
      if (open.log !== 0) {
        throw new SeguroError("bad-open", "only the current log can be written", "leave the log number 0");
      }
      await this.#openWrite(ship);
    } else {
      const { log, done } = await logs.read(ship, open.log);
      this.#log = log;
      this.#doneReading = done;
      if (this.#closed) {
        done();
      }
    }
    const log = this.#log;
    if (log === null) {
      throw new Error("invariant: a session was opened without a log");
    }
    const { verdict, decidedAt } = await judge(logs.kv, log, open.last);
    this.#requests = new Requests(logs.kv, log, this.#writer);
    this.#role = open.role;
    report.info({ session: this.#host.number, ship: shipText(ship), role: open.role, version: 1, height: String(log.height) }, "opened");
    this.#sayOpened(open, log, verdict, decidedAt);
  }

  async #openWrite(ship: Parameters<Host["context"]["logs"]["claim"]>[0]): Promise<void> {
    const { context, title } = this.#host;
    const writer = await context.logs.claim(ship, title, (error) => this.#host.fail(error), {
      acknowledged: () => this.#host.transport.send(encodeHeight(writer.claim.log.height, writer.claim.log.pair)),
      failed: (error) => this.#host.fail(error),
      room: () => this.#resumeIfRoom(),
    });
    if (this.#closed) {
      await context.logs.release(writer);
      throw new SeguroError("stopping", "the client has gone", "connect again");
    }
    this.#writer = writer;
    this.#log = writer.claim.log;
  }

  #openAdmin(): void {
    this.#role = "admin";
    const zero = { log: 0, verdict: 0, base: 0n, height: 0n, digest: NO_DIGEST, epoch: 0n, decidedAt: 0n };
    const none = { eventBytesMax: 0n, batchBytesMax: 0n, inFlightBytes: 0n, ringBytes: 0n };
    this.#host.transport.send(encodeOpened({ ...zero, ...none, kind: "either" }));
  }

  #sayOpened(open: Open, log: Log, verdict: number, decidedAt: bigint): void {
    const opened = {
      log: log.name.log,
      verdict,
      kind: log.name.ship.kind,
      base: log.base,
      height: log.height,
      digest: log.height === 0n ? NO_DIGEST : log.pair,
      epoch: this.#writer?.claim.epoch ?? 0n,
      eventBytesMax: BigInt(this.#host.context.limits.eventBytes),
      batchBytesMax: BATCH_BYTES_MAX,
      inFlightBytes: BigInt(IN_FLIGHT_BYTES),
      decidedAt,
    };
    const encode = (ringBytes: number): Buffer => encodeOpened({ ...opened, ringBytes: BigInt(ringBytes) });
    if (!this.#moveToRing(open, encode)) {
      if (this.#writer !== null) {
        this.#appender = new Appender(this.#writer, this.#host.context.limits.eventBytes);
      }
      this.#host.transport.send(encode(0));
    }
  }

  /** Frames that came too early must go the old way, and with them all that follow. */
  #moveToRing(open: Open, encode: (ringBytes: number) => Buffer): boolean {
    if (open.ring === undefined || this.#early.length > 0 || !this.#frames.atBoundary) {
      return false;
    }
    const assembler = { runBytes: BLOCK_BYTES, pieceBytes: PIECE_BYTES, eventBytesMax: this.#host.context.limits.eventBytes };
    const expectedId = this.#writer === null ? null : expectedIdOf(this.#writer);
    if (!this.#host.moveToRing({ dataBytes: open.ring, assembler, expectedId }, encode)) {
      return false;
    }
    this.#ring = new RingIntake(this.#writer, (header, body) => this.#frame(header, body));
    if (this.#writer !== null && this.#host.transport.lane !== null) {
      this.#writer.useLane(this.#host.transport.lane);
    }
    return true;
  }
}
