// Watches another process's beat: whether it moves, stands still for a whole lease of this process's clock, or is gone.
import type { Kv } from "../store/kv.ts";
import { type BeatRecord, decodeRecord, keys } from "../store/layout.ts";
import { LEASE_MS } from "./beat.ts";
import { type Clock, sleep } from "./clock.ts";

const POLL_MS = LEASE_MS / 5;
/** Answers further apart than this say that the store (or this process) was away, and its owner perhaps could not renew the beat either. */
const GAP_MS = 2 * POLL_MS;

/** "ended": there is no beat. "alive": it moved. "still": it did not for a whole lease. */
export type Observed =
  | { readonly state: "ended" }
  | { readonly state: "alive"; readonly value: Buffer }
  | { readonly state: "still"; readonly value: Buffer };

export function decodeBeat(value: Buffer): BeatRecord {
  return decodeRecord<BeatRecord>(value, "a beat", ["beat", "host", "pid", "boot", "lock", "startedAt"]);
}

/** The watches of one process. Whoever asks about a writer that is being watched joins in. */
export class Observer {
  readonly #kv: Kv;
  readonly #clock: Clock;
  readonly #watches = new Map<string, Promise<Observed>>();

  constructor(kv: Kv, clock: Clock) {
    this.#kv = kv;
    this.#clock = clock;
  }

  /** Takes until the beat moves or is gone, at most a lease and a few pauses while the store answers. Throws the store's error. */
  observe(writer: string): Promise<Observed> {
    const watch = this.#watches.get(writer) ?? this.#watch(writer).finally(() => this.#watches.delete(writer));
    this.#watches.set(writer, watch);
    return watch;
  }

  async #watch(writer: string): Promise<Observed> {
    const key = keys.beat(writer);
    const first = await this.#kv.get(key);
    if (first === null) {
      return { state: "ended" };
    }
    // No clocks are compared: from the answer to the first read to the asking of the last, all of it on this one.
    let sinceMs = this.#clock.nowMs();
    let answeredMs = sinceMs;
    for (;;) {
      await sleep(this.#clock, POLL_MS);
      const askedMs = this.#clock.nowMs();
      const value = await this.#kv.get(key);
      const nowMs = this.#clock.nowMs();
      if (value === null) {
        return { state: "ended" };
      }
      if (!value.equals(first)) {
        return { state: "alive", value };
      }
      if (nowMs - answeredMs > GAP_MS) {
        sinceMs = nowMs;
      } else if (askedMs - sinceMs >= LEASE_MS) {
        return { state: "still", value };
      }
      answeredMs = nowMs;
    }
  }
}
