// The sign of life of a process that writes in a store which others share: one key, renewed by its owner, read by would-be successors.
import { type BeatRecord, encodeRecord, keys } from "../store/layout.ts";
import type { Clock } from "./clock.ts";
import type { Committer } from "./committer.ts";

/** How long an owner waits between two renewals. */
export const BEAT_EVERY_MS = 2_000;
/** A beat that stood still for so long, by its observer's clock, no longer protects its owner's claims. */
export const LEASE_MS = 10_000;

/** This process, as claims and beats name it. */
export interface WriterIdentity extends Omit<BeatRecord, "beat"> {
  /** New with each start. In a shared store INSTANCE/START: the instance stays the same over restarts. */
  readonly id: string;
}

/** The part of a writer's id that stays the same over restarts. */
export function instanceOf(writer: string): string {
  return writer.split("/", 1)[0] ?? writer;
}

/**
 * One process's beat, whatever the number of its ships. A renewal that fails is made again after the usual pause, for as long as it takes: what
 * keeps a late owner from writing is the epoch that its commits check, never the beat.
 */
export class Beat {
  readonly #committer: Committer;
  readonly #clock: Clock;
  readonly #writer: WriterIdentity;
  #count = 0;
  #begun: Promise<void> | null = null;
  #renewal: Promise<void> = Promise.resolve();
  #cancel: () => void = () => undefined;
  #ended = false;

  constructor(committer: Committer, clock: Clock, writer: WriterIdentity) {
    this.#committer = committer;
    this.#clock = clock;
    this.#writer = writer;
  }

  /** Resolves once the beat is there for all to see, which it must be before the first claim. Throws the store's error; may be said again. */
  begin(): Promise<void> {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  /** Removes the beat: everybody sees at once that its owner writes no more. What fails here costs a successor one lease. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#cancel();
    const begun = this.#begun;
    if (begun === null) {
      return;
    }
    await begun.catch(() => undefined);
    await this.#renewal;
    const writes = [{ kind: "delete", key: keys.beat(this.#writer.id) }] as const;
    await this.#committer.submit({ checks: [], writes }, 0).catch(() => undefined);
  }

  async #begin(): Promise<void> {
    try {
      await this.#write();
    } catch (error) {
      this.#begun = null;
      throw error;
    }
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#ended) {
      this.#cancel = this.#clock.after(BEAT_EVERY_MS, () => {
        this.#renewal = this.#write().then(
          () => this.#schedule(),
          () => this.#schedule(),
        );
      });
    }
  }

  async #write(): Promise<void> {
    this.#count++;
    const { host, pid, boot, lock, startedAt } = this.#writer;
    const key = keys.beat(this.#writer.id);
    const value = encodeRecord({ beat: this.#count, host, pid, boot, lock, startedAt });
    await this.#committer.submit({ checks: [], writes: [{ kind: "put", key, value: [value] }], witness: key }, value.length);
  }
}
