// One log as this process knows it: where it begins and ends, its newest digest, and who wants to hear of changes.
import type { LaneHeight } from "../native/ring-lane.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { afterPrefix, keys, type LogName } from "../store/layout.ts";
import { EVENT_ID_MAX } from "../wire/constants.ts";
import type { Pair } from "./block.ts";
import { digestBefore } from "./digest.ts";
import { findBase, findTail, type Tail } from "./tail.ts";

type Ends = Pick<Tail, "base" | "height" | "pair">;

/** Heights only rise, and only for events that are durable. */
export class Log {
  readonly name: LogName;
  #base: bigint;
  #height: bigint;
  #pair: Pair;
  /** Digests of events that are not durable yet, ascending: they count once the height reaches them. */
  #early: Pair[] = [];
  readonly #listeners = new Set<() => void>();
  /** What is durable, from whoever writes the log in our place: it is asked whenever that matters, so that nobody hears less than a client has. */
  #askLane: (() => LaneHeight) | null = null;

  constructor(name: LogName, tail: Ends) {
    this.name = name;
    this.#base = tail.base;
    this.#height = tail.height;
    this.#pair = tail.pair;
  }

  /** Reads a log's ends from the store, changing nothing. */
  static async load(kv: Kv, name: LogName): Promise<Log> {
    return new Log(name, await findTail(kv, name));
  }

  /** A log whose end cannot be told, as if it went on for ever. For verification alone: it finds where the log stops being whole. */
  static async endless(kv: Kv, name: LogName): Promise<Log> {
    const base = await findBase(kv, name);
    return new Log(name, { base, height: EVENT_ID_MAX, pair: digestBefore(name.ship, base === 0n ? 1n : base) });
  }

  /** First event, 0n while the log is empty. */
  get base(): bigint {
    return this.#base;
  }

  /** The last acknowledged event, 0n while the log is empty. */
  get height(): bigint {
    this.#follow();
    return this.#height;
  }

  /** The newest known digest; it may trail the height. */
  get pair(): Pair {
    this.#follow();
    return this.#pair;
  }

  /** From now on the log rises as a lane says (docs/lane.md); null: as `rise` says, again. */
  askLane(ask: (() => LaneHeight) | null): void {
    this.#askLane = ask;
  }

  #follow(): void {
    const at = this.#askLane?.();
    if (at === undefined) {
      return;
    }
    if (at.pair.id > this.#pair.id) {
      this.#pair = at.pair;
    }
    if (at.height > this.#height) {
      this.rise(this.#height + 1n, at.height);
    }
  }

  /** Events from `firstId` to `lastId` are durable now. */
  rise(firstId: bigint, lastId: bigint): void {
    if (this.#height !== 0n && firstId !== this.#height + 1n) {
      throw new Error(`invariant: events ${firstId}.. became durable above height ${this.#height}`);
    }
    if (this.#base === 0n) {
      this.#base = firstId;
      this.#pair = digestBefore(this.name.ship, firstId);
    }
    this.#height = lastId;
    this.#settlePairs();
    for (const listener of this.#listeners) {
      listener();
    }
  }

  /** The log's ends as the store has them, if it goes on after this height: another process writes it. Null if it does not. */
  async newerEnds(kv: Kv): Promise<Ends | null> {
    if (this.#height !== 0n) {
      const from = keys.block(this.name, this.#height + 1n);
      if ((await kv.range(from, afterPrefix(keys.blocks(this.name)), { limitRows: 1, limitBytes: 1 })).count === 0) {
        return null;
      }
    }
    const tail = await findTail(kv, this.name);
    return tail.height > this.#height ? tail : null;
  }

  /** A new claim (or a look at what another process writes) has read the log's ends from the store; a writer that ended without knowing how its last commits ended may have left more. */
  recovered(tail: Ends): void {
    if (tail.height < this.#height) {
      throw new StoreError(
        "store-damaged",
        `the store ends at event ${tail.height}, but ${this.#height} was acknowledged`,
        "stop the sidecar: the store lost what it had flushed",
      );
    }
    this.#base = tail.base;
    this.#height = tail.height;
    this.#early = [];
    this.#pair = tail.pair.id > this.#pair.id ? tail.pair : this.#pair;
    for (const listener of this.#listeners) {
      listener();
    }
  }

  /** The chain has come as far as `pair`, perhaps ahead of the height: digests are computed while their events are being flushed. */
  digested(pair: Pair): void {
    this.#early.push(pair);
    this.#settlePairs();
  }

  #settlePairs(): void {
    while (this.#early[0] !== undefined && this.#early[0].id <= this.#height) {
      this.#pair = this.#early.shift() ?? this.#pair;
    }
  }

  /** Where the digest chain starts from: the newest pair, or the one before the first event once that is known. */
  chainStart(firstId: bigint): Pair {
    return this.#base === 0n ? digestBefore(this.name.ship, firstId) : this.#pair;
  }

  /** Calls `listener` after each rise of the height; returns what ends that. */
  onRise(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
