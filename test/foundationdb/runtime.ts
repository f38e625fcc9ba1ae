// A ship's runtime on real clusters: a client that appends, comes again after every loss, and notes all that it sends and is told, for the checker.
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { SeguroError } from "../../src/wire/errors.ts";
import { Random } from "../crash/random.ts";
import { type History, markOf } from "../simulation/history.ts";

/** Where a runtime connects, and the sidecar's process as the history names it. */
export interface Place {
  readonly socket: string;
  readonly process: string;
}

export interface RuntimeOptions {
  readonly history: History;
  readonly ship: string;
  readonly seed: number;
  /** Asked before each attempt; null for nowhere at the moment. */
  place(): Place | null;
  /** Every how many events one is as large as `HUGE_BYTES`; default 400. */
  readonly hugeEvery?: number;
  /** Events that may be sent and not acknowledged; default 1500. */
  readonly ahead?: number;
  /** Between two sends; default 0. */
  readonly pauseMs?: number;
}

const SIZES = [0, 1, 37, 500, 500, 500, 500, 4096, 20_000] as const;
const HUGE_BYTES = 5 << 20;
const RETRY_MS = 100;

/** A session as long as it lives. */
interface Sending {
  readonly session: string;
  readonly client: Client;
  next: bigint;
}

export class Runtime {
  readonly #options: RuntimeOptions;
  readonly #random: Random;
  #stopping = false;
  #done: Promise<void> | null = null;
  #sessions = 0;
  #height = 0n;
  #client: Client | null = null;
  /** Why the last session ended, or was refused. */
  lastError: Error | null = null;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  /** The greatest height it was ever told. */
  get height(): bigint {
    return this.#height;
  }

  /** Sessions that were opened. */
  get sessions(): number {
    return this.#sessions;
  }

  /** Begins to append, session after session, until `stop`. */
  start(): this {
    this.#done = this.#run();
    return this;
  }

  /** Ends in order: everything sent is acknowledged first, where the session lives. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  /** Gives up at once, as a runtime that is killed. */
  async abandon(): Promise<void> {
    this.#stopping = true;
    await this.#client?.close().catch(() => undefined);
    await this.#done;
  }

  /** Resolves when so many more events are acknowledged, or it is to stop. */
  async grows(events: number, seconds = 60): Promise<void> {
    const target = this.#height + BigInt(events);
    const deadline = Date.now() + seconds * 1000;
    while (this.#height < target && !this.#stopping) {
      if (Date.now() > deadline) {
        throw new Error(
          `${this.#options.ship} stays at ${this.#height}, ${target} was awaited for ${seconds} s; ${String(this.lastError)}`,
        );
      }
      await sleep(10);
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const place = this.#options.place();
      if (place !== null) {
        await this.#session(place);
      }
      if (!this.#stopping) {
        await sleep(RETRY_MS);
      }
    }
  }

  async #session({ socket, process }: Place): Promise<void> {
    const { history, ship } = this.#options;
    const session = history.name("s");
    history.add({ kind: "claiming", session, process, ship });
    let opened = false;
    let client: Client | null = null;
    try {
      client = await Client.connect(socket, ship);
      this.#client = client;
      const { log, epoch, height } = await client.open({ role: "write" });
      history.add({ kind: "opened", session, log, epoch, height });
      opened = true;
      this.#sessions++;
      this.#told(height);
      await this.#append({ session, client, next: height + 1n });
      history.add({ kind: "ended", session, code: null, text: "" });
    } catch (error) {
      this.#note(session, opened, error as Error);
    } finally {
      this.#client = null;
      await client?.close().catch(() => undefined);
    }
  }

  /** What the sidecar itself said counts; that the connection was lost is the test's own doing. */
  #note(session: string, opened: boolean, error: Error): void {
    this.lastError = error;
    const told = error instanceof SeguroError && error.code !== "stopping";
    const text = error.message;
    if (!told) {
      this.#options.history.add({ kind: "ended", session, code: null, text });
    } else if (opened) {
      this.#options.history.add({ kind: "ended", session, code: error.code, text });
    } else {
      this.#options.history.add({ kind: "refused", session, code: error.code, text });
    }
  }

  #told(height: bigint): void {
    if (height > this.#height) {
      this.#height = height;
    }
  }

  async #append(sending: Sending): Promise<void> {
    const { client, session } = sending;
    const { history, ahead = 1500, pauseMs = 0 } = this.#options;
    let told = client.height;
    client.onHeight = (height) => {
      if (height > told) {
        told = height;
        this.#told(height);
        history.add({ kind: "acknowledged", session, height });
      }
    };
    while (!this.#stopping) {
      await this.#send(sending);
      if (sending.next - client.height > ahead) {
        await client.acknowledged(sending.next - BigInt(ahead >> 1));
      } else if (this.#random.between(0, 9) === 0) {
        await client.acknowledged(sending.next - 1n);
      }
      await (pauseMs === 0 ? turn() : sleep(pauseMs));
    }
    await client.acknowledged(sending.next - 1n);
  }

  /** Sends some events, as a stream or as one atomic batch. */
  async #send(sending: Sending): Promise<void> {
    const { client, session, next } = sending;
    const { history, hugeEvery = 400 } = this.#options;
    const count = this.#random.between(1, 40);
    const payloads = Array.from({ length: count }, (_, index) => {
      const size = this.#random.between(1, hugeEvery) === 1 ? HUGE_BYTES : (SIZES[this.#random.between(0, SIZES.length - 1)] ?? 0);
      return Buffer.alloc(size, `${session}/${next + BigInt(index)}/`);
    });
    const atomic = this.#random.between(0, 4) === 0;
    history.add({ kind: "sent", session, firstId: next, marks: payloads.map(markOf), atomic });
    const records = encodeRecords(next, payloads);
    sending.next += BigInt(count);
    if (atomic) {
      await client.appendAtomic({ firstId: next, count: BigInt(count), bytes: BigInt(records.length) }, [records]);
    } else {
      await client.append(records);
    }
  }
}
