// One read of a session: events from an id on, as fast as the client's credit and socket allow, perhaps going on live.
import { asSeguroError } from "../log/errors.ts";
import type { Log } from "../log/log.ts";
import { type ReadItem, RecordReader } from "../log/reader.ts";
import type { Kv } from "../store/kv.ts";
import type { Transport } from "../transport/transport.ts";
import { FRAME_BODY_MAX, Frame, READ_TAIL, SentReason } from "../wire/constants.ts";
import type { SeguroError } from "../wire/errors.ts";
import { encodeSent, encodeU64, type Read } from "../wire/flows.ts";
import { encodeFrameHeader } from "../wire/frames.ts";

export interface ReadFlowEvents {
  ended(): void;
  failed(error: SeguroError): void;
}

export class ReadFlow {
  readonly #kv: Kv;
  readonly #log: Log;
  readonly #transport: Transport;
  readonly #request: number;
  readonly #read: Read;
  #creditBytes: bigint;
  #cancelled = false;
  #live = false;
  #wake: () => void = () => undefined;
  #count = 0n;
  #nextId: bigint;

  constructor(kv: Kv, log: Log, transport: Transport, request: number, read: Read, events: ReadFlowEvents) {
    this.#kv = kv;
    this.#log = log;
    this.#transport = transport;
    this.#request = request;
    this.#read = read;
    this.#creditBytes = read.creditBytes;
    this.#nextId = read.from;
    this.#run().then(
      () => events.ended(),
      (error: unknown) => events.failed(asSeguroError(error)),
    );
  }

  /** The client is ready to take so many more bytes. */
  credit(moreBytes: bigint): void {
    this.#creditBytes += moreBytes;
    this.#wake();
  }

  /** Ends the read after the frame in hand. */
  cancel(): void {
    this.#cancelled = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    const stopListening = this.#tail ? this.#log.onRise(() => this.#wake()) : (): void => undefined;
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
      }
      if (this.#log.height === 0n || this.#nextId > this.#log.height) {
        if (!this.#tail) {
          return SentReason.END;
        }
        this.#sayLive();
        await this.#sleep();
        continue;
      }
      reader ??= this.#openReader();
      reader.extend(this.#bound());
      const item: ReadItem | null = await (prefetched ?? reader.next());
      prefetched = null;
      if (item !== null) {
        // The store reads the next item while this one is being sent.
        prefetched = reader.next();
        prefetched.catch(() => undefined);
        await this.#send(item, reader);
      }
    }
  }

  #openReader(): RecordReader {
    const reader = new RecordReader(this.#kv, this.#log.name, this.#nextId, this.#bound());
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
