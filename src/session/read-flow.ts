// One read of a session: events from an id on, as fast as the client's credit and socket allow, perhaps going on live.
import { asSeguroError } from "../log/errors.ts";
import type { Log } from "../log/log.ts";
import type { Logs } from "../log/logs.ts";
import { type ReadItem, RecordReader } from "../log/reader.ts";
import { shipBytes } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import { keys, kindByte } from "../store/layout.ts";
import type { Replay, Transport } from "../transport/transport.ts";
import { FRAME_BODY_MAX, Frame, READ_TAIL, SentReason } from "../wire/constants.ts";
import type { SeguroError } from "../wire/errors.ts";
import { encodeSent, encodeU64, type Read } from "../wire/flows.ts";
import { encodeFrameHeader } from "../wire/frames.ts";

/** Records are as long as a multiple of it, and so are the bodies that carry them. */
const RECORD_ALIGN_BYTES = 8n;

/** More credit is no more use to anyone, and native code counts in 64 bits: what a client grants beyond this is not added up. */
const CREDIT_BYTES_MAX = (1n << 63n) - 1n;

function limitCredit(bytes: bigint): bigint {
  return bytes < CREDIT_BYTES_MAX ? bytes : CREDIT_BYTES_MAX;
}

export interface ReadFlowEvents {
  ended(): void;
  failed(error: SeguroError): void;
}

export class ReadFlow {
  readonly #logs: Logs;
  readonly #log: Log;
  readonly #transport: Transport;
  readonly #request: number;
  readonly #read: Read;
  /** Where the store's blocks can go to the client without coming by here. */
  readonly #replay: Replay | null;
  #creditBytes: bigint;
  #cancelled = false;
  #live = false;
  #wake: () => void = () => undefined;
  #count = 0n;
  #nextId: bigint;

  constructor(logs: Logs, log: Log, transport: Transport, request: number, read: Read, events: ReadFlowEvents) {
    this.#logs = logs;
    this.#log = log;
    this.#transport = transport;
    this.#request = request;
    this.#read = read;
    this.#creditBytes = limitCredit(read.creditBytes);
    this.#nextId = read.from;
    this.#replay = this.#openReplay();
    this.#run().then(
      () => events.ended(),
      (error: unknown) => events.failed(asSeguroError(error)),
    );
  }

  /** The client is ready to take so many more bytes. */
  credit(moreBytes: bigint): void {
    const before = this.#creditBytes;
    this.#creditBytes = limitCredit(before + moreBytes);
    this.#replay?.grant(this.#creditBytes - before);
    this.#wake();
  }

  /** Ends the read after the frame in hand. */
  cancel(): void {
    this.#cancelled = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    const stopListening = this.#tail ? this.#logs.follow(this.#log, () => this.#wake()) : (): void => undefined;
    let reason: number;
    try {
      reason = await this.#sendAll();
    } finally {
      stopListening();
    }
    this.#transport.send(encodeSent(this.#request, { count: this.#count, nextId: this.#nextId, reason }));
  }

  get #tail(): boolean {
    return (this.#read.flags & READ_TAIL) !== 0;
  }

  /** Sends until the read is over; says why it is. */
  async #sendAll(): Promise<number> {
    let reader: RecordReader | null = null;
    let prefetched: Promise<ReadItem | null> | null = null;
    for (;;) {
      if (this.#cancelled || this.#transport.closed) {
        return SentReason.CANCELLED;
      }
      if (this.#read.limit !== 0n && this.#count >= this.#read.limit) {
        return SentReason.LIMIT;
      }
      if (this.#nextId < this.#log.base) {
        this.#nextId = this.#log.base;
        this.#replay?.seek(this.#nextId);
      }
      if (this.#log.height === 0n || this.#nextId > this.#log.height) {
        if (!this.#tail) {
          return SentReason.END;
        }
        this.#sayLive();
        await this.#sleep();
        continue;
      }
      if (reader === null && this.#replay !== null && (await this.#sendDirectly(this.#replay))) {
        continue;
      }
      reader ??= this.#openReader();
      reader.extend(this.#bound());
      const item: ReadItem | null = await (prefetched ?? reader.next());
      prefetched = null;
      if (item !== null) {
        if (this.#replay === null) {
          // The store reads the next item while this one is being sent.
          prefetched = reader.next();
          prefetched.catch(() => undefined);
        }
        await this.#send(item, reader);
      }
      if (this.#replay !== null && reader.atBlock) {
        this.#replay.seek(this.#nextId);
        reader = null;
      }
    }
  }

  #openReplay(): Replay | null {
    const { name } = this.#log;
    const source = this.#logs.kv.blocks;
    if (source === undefined) {
      return null;
    }
    return this.#transport.replay({
      source,
      blocksPrefix: keys.blocks(name),
      shipBytes: shipBytes(name.ship.number),
      kind: kindByte(name.ship.kind),
      log: name.log,
      request: this.#request,
      fromId: this.#nextId,
    });
  }

  /** One turn of a replay; false when what comes next needs a reader: pieces of a huge event, or damage, which a reader can name. */
  async #sendDirectly(replay: Replay): Promise<boolean> {
    if (this.#creditBytes < RECORD_ALIGN_BYTES) {
      await this.#sleep();
      return true;
    }
    const sent = await replay.run(this.#bound(), this.#creditBytes);
    if (sent === null) {
      this.#cancelled = true;
      return true;
    }
    this.#creditBytes -= BigInt(sent.bodyBytes);
    this.#count += BigInt(sent.count);
    this.#nextId = sent.nextId;
    if (sent.stop === "changed") {
      const { ship, log } = this.#log.name;
      const what = `log ${log} of ${ship.name}: event ${sent.nextId} changed while it was being sent`;
      throw new StoreError("store-damaged", what, `run \`seguro verify ${ship.name}\``);
    }
    return sent.stop !== "other";
  }

  #openReader(): RecordReader {
    const reader = new RecordReader(this.#logs.kv, this.#log.name, this.#nextId, this.#bound());
    reader.useRecycling();
    return reader;
  }

  /** The last event this read may send now. */
  #bound(): bigint {
    const { height } = this.#log;
    const limited = this.#read.limit === 0n ? height : this.#nextId + (this.#read.limit - this.#count) - 1n;
    return limited < height ? limited : height;
  }

  async #send(item: ReadItem, reader: RecordReader): Promise<void> {
    for (let at = 0; at < item.bytes.length; ) {
      // Looked at before every wait: it may have been said while the store was being read.
      if (this.#cancelled || this.#transport.closed) {
        return;
      }
      const credit = Number(this.#creditBytes > BigInt(FRAME_BODY_MAX) ? BigInt(FRAME_BODY_MAX) : this.#creditBytes) & ~7;
      if (credit === 0) {
        await this.#sleep();
      } else {
        const bytes = item.bytes.subarray(at, at + credit);
        this.#creditBytes -= BigInt(bytes.length);
        at += bytes.length;
        const sent = at === item.bytes.length ? (): void => reader.recycle(item) : undefined;
        this.#transport.sendThen(sent, encodeFrameHeader(Frame.RECORDS, this.#request, bytes.length), bytes);
        await this.#transport.room();
      }
    }
    this.#count += BigInt(item.count);
    this.#nextId = item.lastId + 1n;
  }

  #sayLive(): void {
    if (!this.#live) {
      this.#live = true;
      this.#transport.send(encodeU64(Frame.LIVE, this.#request, this.#log.height));
    }
  }

  /** Until something changes: credit, a rise of the height, the end. Everything that is waited for is looked at again afterwards. */
  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
