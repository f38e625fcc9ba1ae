// Protocol 0 after its handshake: writing a batch, writing one event, reading; one flow at a time.

import { BLOCK_BYTES, PIECE_BYTES } from "../log/limits.ts";
import type { Log } from "../log/log.ts";
import { RecordReader } from "../log/reader.ts";
import type { Writer } from "../log/writer.ts";
import { type Assembler, AssemblerStatus, createAssembler } from "../native/assembler.ts";
import { type ShipKind, shipText } from "../ship.ts";
import { EVENT_ID_MAX } from "../wire/constants.ts";
import { RecordWalker } from "../wire/record-walker.ts";
import { encodeEventHead, encodeText, requireNumber, TextError, TextReader, type TextSink } from "../wire/text.ts";
import type { Flows, Host } from "./session.ts";

/** What the client is in the middle of; it starts nothing else before the flow's closing message. */
type Flow =
  | { readonly kind: "none" }
  | { readonly kind: "write"; readonly id: bigint; readonly lengthBytes: number; complete: boolean }
  | { readonly kind: "batch"; readonly count: bigint; readonly start: bigint; readonly end: bigint; nextId: bigint; complete: boolean }
  | { readonly kind: "read" };

const NONE: Flow = { kind: "none" };
const NUL = Buffer.alloc(1);

export class TextSession implements Flows, TextSink {
  readonly role = "write";
  readonly #host: Host;
  readonly #writer: Writer;
  readonly #reader: TextReader;
  readonly #assembler: Assembler;
  #flow: Flow = NONE;
  /** The last event handed to the writer. */
  #accepted: bigint;
  #saidHeight: bigint;
  #closed = false;

  private constructor(host: Host, writer: Writer) {
    this.#host = host;
    this.#writer = writer;
    this.#reader = new TextReader(this);
    this.#assembler = createAssembler({ runBytes: BLOCK_BYTES, pieceBytes: PIECE_BYTES, eventBytesMax: host.context.limits.eventBytes });
    this.#accepted = this.#log.height;
    this.#saidHeight = this.#log.height;
  }

  /** Claims the ship and welcomes the client; a claim that is refused ends the session without a word. */
  static async start(host: Host, point: string): Promise<TextSession> {
    const { logs } = host.context;
    const { ship } = await logs.resolve(point, "either");
    let session: TextSession | null = null;
    const writer = await logs.claim(ship, host.title, (error) => host.fail(error), {
      acknowledged: () => session?.acknowledged(),
      failed: (error) => host.fail(error),
      room: () => host.transport.resume(),
    });
    session = new TextSession(host, writer);
    host.context.log.info({ session: host.number, ship: shipText(ship), version: 0, height: String(writer.claim.log.height) }, "opened");
    const { height } = writer.claim.log;
    host.transport.send(height === 0n ? encodeText("WELCOME", point) : encodeText("WELCOME", point, height));
    return session;
  }

  get kind(): ShipKind {
    return this.#log.name.ship.kind;
  }

  get #log(): Log {
    return this.#writer.claim.log;
  }

  push(chunk: Buffer): void {
    if (chunk.length > 0 && this.#waitingForUs()) {
      throw new TextError("the client went on before the closing message of its flow");
    }
    this.#reader.push(chunk);
    if (this.#waitingForUs() && this.#reader.midway) {
      throw new TextError("the client went on before the closing message of its flow");
    }
    if (!this.#writer.hasRoom) {
      this.#host.transport.pause();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#host.context.logs.release(this.#writer);
  }

  /** The writer's height has risen. */
  acknowledged(): void {
    const { height } = this.#log;
    const flow = this.#flow;
    if (flow.kind === "write" && flow.complete && height >= flow.id) {
      this.#flow = NONE;
      this.#host.transport.send(encodeText("COMMITTED", flow.id, flow.lengthBytes));
    } else if (flow.kind === "batch") {
      if (height > this.#saidHeight) {
        this.#host.transport.send(encodeText("HEIGHT", height));
      }
      if (flow.complete && height >= flow.end) {
        this.#flow = NONE;
        this.#host.transport.send(encodeText("COMMITTED", "BATCH", flow.count, flow.start, flow.end));
      }
    }
    this.#saidHeight = height;
  }

  block(text: string): void {
    if (this.#waitingForUs()) {
      throw new TextError("the client went on before the closing message of its flow");
    }
    const fields = text.split(" ");
    const [verb, second] = fields;
    if (verb === "WRITE" && second === "BATCH" && fields.length === 5) {
      this.#beginBatch(requireNumber(fields[2]), requireNumber(fields[3]), requireNumber(fields[4]));
    } else if (verb === "END" && second === "BATCH" && fields.length === 5) {
      this.#endBatch(requireNumber(fields[2]), requireNumber(fields[3]), requireNumber(fields[4]));
    } else if (verb === "READ" && fields.length === 3 && this.#flow.kind === "none") {
      this.#flow = { kind: "read" };
      void this.#read(requireNumber(second), requireNumber(fields[2]));
    } else {
      throw new TextError("a block that is not allowed here");
    }
  }

  eventBegin(verb: "WRITE" | "EVENT", id: bigint, lengthBytes: number): void {
    const flow = this.#flow;
    if (verb === "WRITE" && flow.kind === "none") {
      this.#requireNext(id);
      this.#flow = { kind: "write", id, lengthBytes, complete: false };
    } else if (verb === "EVENT" && flow.kind === "batch" && id === flow.nextId && id <= flow.end) {
      flow.nextId++;
    } else {
      throw new TextError(`event ${id} is not allowed here`);
    }
    this.#check(this.#assembler.beginEvent(id, lengthBytes));
  }

  eventData(bytes: Buffer): void {
    this.#check(this.#assembler.pushPayload(bytes));
    this.#handOver(false);
  }

  eventEnd(): void {
    const flow = this.#flow;
    if (flow.kind === "write") {
      flow.complete = true;
      this.#accepted = flow.id;
    }
    this.#handOver(flow.kind === "write");
  }

  /** True while the next word is ours. */
  #waitingForUs(): boolean {
    const flow = this.#flow;
    return flow.kind === "read" || ((flow.kind === "write" || flow.kind === "batch") && flow.complete);
  }

  #requireNext(id: bigint): void {
    const fits = this.#accepted === 0n ? id >= 1n : id === this.#accepted + 1n;
    if (!fits || id > EVENT_ID_MAX) {
      throw new TextError(`event ${id} does not follow ${this.#accepted}`);
    }
  }

  #beginBatch(count: bigint, start: bigint, end: bigint): void {
    if (this.#flow.kind !== "none" || count === 0n || end < start || end > EVENT_ID_MAX || count !== end - start + 1n) {
      throw new TextError("a batch whose numbers do not fit");
    }
    this.#requireNext(start);
    this.#flow = { kind: "batch", count, start, end, nextId: start, complete: false };
  }

  #endBatch(count: bigint, start: bigint, end: bigint): void {
    const flow = this.#flow;
    const fits = flow.kind === "batch" && flow.count === count && flow.start === start && flow.end === end && flow.nextId === end + 1n;
    if (!fits) {
      throw new TextError("END BATCH is not what was announced, or events are missing");
    }
    flow.complete = true;
    this.#accepted = end;
    this.#handOver(true);
    this.acknowledged();
  }

  #check(status: number): void {
    if (status !== AssemblerStatus.OK) {
      throw new TextError(`event ${this.#assembler.failedId} was refused (${status})`);
    }
  }

  /** Gives the writer what is whole; small events of a batch are gathered until a run is full or the batch ends. */
  #handOver(all: boolean): void {
    if (!all && this.#assembler.heldBytes < BLOCK_BYTES) {
      return;
    }
    for (let taken = this.#assembler.take(); taken !== null; taken = this.#assembler.take()) {
      this.#writer.push("run" in taken ? { kind: "run", run: taken.run } : { kind: "large", piece: taken.large });
    }
  }

  async #read(id: bigint, limit: bigint): Promise<void> {
    try {
      const { base, height } = this.#log;
      const from = id > base ? id : base;
      if (base === 0n || from > height || limit === 0n) {
        this.#endRead(encodeText("SENT", 0));
        return;
      }
      const through = limit > height - from ? height : from + limit - 1n;
      await this.#sendEvents(from, through);
      this.#endRead(encodeText("SENT", through - from + 1n, from, through));
    } catch (error) {
      this.#host.fail(
        error instanceof TextError ? error : new TextError(`reading failed: ${error instanceof Error ? error.message : String(error)}`),
      );
    }
  }

  async #sendEvents(from: bigint, through: bigint): Promise<void> {
    const { transport, context } = this.#host;
    const reader = new RecordReader(context.logs.kv, this.#log.name, from, through);
    let parts: Buffer[] = [];
    const walker = new RecordWalker({
      begin: (event, lengthBytes) => parts.push(encodeEventHead("EVENT", event, lengthBytes)),
      payload: (bytes) => parts.push(bytes),
      end: () => parts.push(NUL),
    });
    for (let item = await reader.next(); item !== null && !this.#closed; item = await reader.next()) {
      parts = [];
      walker.push(item.bytes);
      transport.send(Buffer.concat(parts));
      await transport.room();
    }
  }

  #endRead(closing: Buffer): void {
    // First the flow ends, then the client hears it: it may answer at once.
    this.#flow = NONE;
    this.#host.transport.send(closing);
  }
}
