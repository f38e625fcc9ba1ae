// Keeps a log's digest chain up with its events, on a worker thread: fed with what is being committed, or reading back what was staged.
import { createDigestChain, type DigestChain } from "../native/digest-chain.ts";
import type { Kv } from "../store/kv.ts";
import { keys, type LogName } from "../store/layout.ts";
import type { Pair } from "./block.ts";
import { digestBefore } from "./digest.ts";
import type { Log } from "./log.ts";
import { headerAt, RecordReader } from "./reader.ts";

/** One writer's chain. Calls are worked off in order. */
export class Digester {
  readonly #kv: Kv;
  readonly #log: Log;
  #chain: DigestChain | null = null;
  #last: Promise<void> = Promise.resolve();

  constructor(kv: Kv, log: Log) {
    this.#kv = kv;
    this.#log = log;
  }

  /** Extends the chain, which must have come to the event before, over records that begin at `firstId`; they must not change until the promise has resolved. */
  feed(firstId: bigint, parts: readonly Buffer[]): Promise<void> {
    return this.#queue(() => this.#advance(this.#open(firstId), parts));
  }

  /** Extends the chain through `id` by reading the log, which must hold it. */
  catchUp(id: bigint): Promise<void> {
    return this.#queue(() => this.#readThrough(id, this.#log.base));
  }

  /** Somebody else has brought the log's chain further: it is taken up again where that ended. Only while nothing is being worked off. */
  restart(): void {
    this.#chain = null;
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    // A failure is the caller's to handle; what is queued behind it fails by itself, because the chain does not follow.
    this.#last = done.catch(() => undefined);
    return done;
  }

  #open(firstId: bigint): DigestChain {
    this.#chain ??= createDigestChain(this.#log.chainStart(firstId));
    return this.#chain;
  }

  async #readThrough(id: bigint, firstId: bigint): Promise<void> {
    if (this.#log.height === 0n) {
      return;
    }
    const chain = this.#open(firstId);
    if (chain.id >= id) {
      return;
    }
    const reader = new RecordReader(this.#kv, this.#log.name, chain.id + 1n, id);
    for (let item = await reader.next(); item !== null; item = await reader.next()) {
      await this.#advance(chain, [item.bytes]);
    }
  }

  async #advance(chain: DigestChain, parts: readonly Buffer[]): Promise<void> {
    this.#log.digested(await chain.advance(parts));
  }
}

/** The digest at event `id`, which lies between base - 1 and the height: from the nearest stored pair below it onward. */
export async function digestAt(kv: Kv, name: LogName, base: bigint, id: bigint): Promise<Pair> {
  const before = digestBefore(name.ship, base);
  if (id === before.id) {
    return before;
  }
  const header = await headerAt(kv, name, id);
  const start = header !== null && header.pair.id > before.id ? header.pair : before;
  if (start.id === id) {
    return start;
  }
  const chain = createDigestChain(start);
  const reader = new RecordReader(kv, name, start.id + 1n, id);
  for (let item = await reader.next(); item !== null; item = await reader.next()) {
    await chain.advance([item.bytes], id);
  }
  if (chain.id !== id) {
    throw new Error(`invariant: the chain of ${keys.log(name).toString("hex")} ended at ${chain.id}, not at ${id}`);
  }
  return { id, digest: chain.digest };
}
