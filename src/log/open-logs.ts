// The logs in use by sessions of this process: readers and the writer of one log share what they know of it, and follow what others write.
import type { Kv } from "../store/kv.ts";
import { keys, type LogName } from "../store/layout.ts";
import { type Claim, sameMoment } from "./claim.ts";
import type { Clock } from "./clock.ts";
import { Log } from "./log.ts";

/** How often a log that another process may be writing is looked at while somebody follows it. */
const FOLLOW_EVERY_MS = 1_000;

interface OpenLog {
  readonly log: Promise<Log>;
  users: number;
  /** By this process, which then knows its height without looking. */
  written: boolean;
  followers: number;
  /** Looked at from time to time, for its followers. */
  polled: boolean;
}

function keyOf(name: LogName): string {
  return keys.log(name).toString("latin1");
}

export class OpenLogs {
  readonly #kv: Kv;
  readonly #clock: Clock;
  readonly #open = new Map<string, OpenLog>();

  constructor(kv: Kv, clock: Clock) {
    this.#kv = kv;
    this.#clock = clock;
  }

  /** Opens a log that exists; `done` must be called once. Throws the store's error. */
  async read(name: LogName): Promise<{ log: Log; done: () => void }> {
    const key = keyOf(name);
    const known = this.#open.get(key);
    const entry: OpenLog = known ?? { log: Log.load(this.#kv, name), users: 0, written: false, followers: 0, polled: false };
    entry.users++;
    this.#open.set(key, entry);
    const done = (): void => this.#leave(name);
    try {
      const log = await entry.log;
      if (known !== undefined) {
        await this.#refresh(known, log);
      }
      return { log, done };
    } catch (error) {
      done();
      throw error;
    }
  }

  /** A log's ends as they are now, without opening it. */
  async look(name: LogName): Promise<Log> {
    const entry = this.#open.get(keyOf(name));
    if (entry === undefined) {
      return Log.load(this.#kv, name);
    }
    const log = await entry.log;
    await this.#refresh(entry, log);
    return log;
  }

  /** Readers of the log and its new writer share one Log, with what recovery found. Ended by `written`. */
  async adopt(claim: Claim): Promise<Claim> {
    const { name } = claim.log;
    const key = keyOf(name);
    const entry = this.#open.get(key);
    if (entry === undefined) {
      this.#open.set(key, { log: Promise.resolve(claim.log), users: 1, written: true, followers: 0, polled: false });
      return claim;
    }
    entry.users++;
    try {
      const log = await entry.log;
      entry.written = true;
      log.recovered(claim.log);
      return { ...claim, log };
    } catch (error) {
      this.written(name);
      // Whoever was replaced before it had read the tail may have read an old one, which says nothing about the store.
      throw (await this.#isReplaced(claim)) ? sameMoment(name.ship) : error;
    }
  }

  async #isReplaced({ check }: Claim): Promise<boolean> {
    const value = await this.#kv.get(check.key);
    return value === null || check.value === null || !value.equals(check.value);
  }

  /** This process writes the log no longer. */
  written(name: LogName): void {
    const entry = this.#open.get(keyOf(name));
    if (entry !== undefined) {
      entry.written = false;
    }
    this.#leave(name);
  }

  /** Calls `listener` after each rise of an open log's height, whoever writes it; returns what ends that. */
  follow(log: Log, listener: () => void): () => void {
    const stopListening = log.onRise(listener);
    const entry = this.#open.get(keyOf(log.name));
    if (entry === undefined || !this.#kv.shared) {
      return stopListening;
    }
    entry.followers++;
    if (!entry.polled) {
      entry.polled = true;
      this.#poll(entry, log);
    }
    return () => {
      entry.followers--;
      stopListening();
    };
  }

  #poll(entry: OpenLog, log: Log): void {
    this.#clock.after(FOLLOW_EVERY_MS, () => {
      if (entry.followers === 0) {
        entry.polled = false;
      } else {
        // A store that errs now may not the next time; one that is damaged tells whoever reads it.
        this.#refresh(entry, log)
          .catch(() => undefined)
          .finally(() => this.#poll(entry, log));
      }
    });
  }

  async #refresh(entry: OpenLog, log: Log): Promise<void> {
    if (!this.#kv.shared || entry.written) {
      return;
    }
    const ends = await log.newerEnds(this.#kv);
    // Looked at again: a claim of this process knows better, and what it has in flight may be durable but is not acknowledged.
    if (ends !== null && !entry.written && ends.height > log.height) {
      log.recovered(ends);
    }
  }

  #leave(name: LogName): void {
    const key = keyOf(name);
    const entry = this.#open.get(key);
    if (entry !== undefined) {
      entry.users--;
      if (entry.users === 0) {
        this.#open.delete(key);
      }
    }
  }
}
