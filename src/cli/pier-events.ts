// The events of a whole pier in one stream of records, epoch after epoch.
import { PierReader, type ReadOptions } from "../pier/read.ts";

/** Bytes of one read: as much as one frame holds. */
const RUN_BYTES = 1_048_576;

export interface EpochEvents {
  readonly folder: string;
  /** 0 for both in an epoch without events. */
  readonly firstId: bigint;
  readonly lastId: bigint;
}

export interface PierRun {
  readonly bytes: Buffer;
  readonly lastId: bigint;
  readonly count: bigint;
  /** False for a piece of a large event that is not its last. */
  readonly ends: boolean;
  readonly shortEvents: number;
}

export class PierEvents {
  readonly #epochs: readonly EpochEvents[];
  readonly #options: ReadOptions;

  /** `epochs` in rising order. */
  constructor(epochs: readonly EpochEvents[], options: ReadOptions) {
    this.#epochs = epochs.filter((epoch) => epoch.lastId !== 0n);
    this.#options = options;
  }

  /** The first event, 0 when there is none. */
  get firstId(): bigint {
    return this.#epochs.at(0)?.firstId ?? 0n;
  }

  /** The last event, 0 when there is none. */
  get lastId(): bigint {
    return this.#epochs.at(-1)?.lastId ?? 0n;
  }

  /** Runs of records from an event on, up to the last event known when the pier was looked at. */
  async *runs(fromId: bigint): AsyncGenerator<PierRun, void, void> {
    for (const epoch of this.#epochs) {
      if (epoch.lastId >= fromId) {
        yield* this.#runsOf(epoch, fromId > epoch.firstId ? fromId : epoch.firstId);
      }
    }
  }

  async *#runsOf(epoch: EpochEvents, fromId: bigint): AsyncGenerator<PierRun, void, void> {
    const reader = PierReader.open(epoch.folder, this.#options);
    try {
      for await (const run of reader.runs(RUN_BYTES, fromId)) {
        const ends = run.offsetBytes + run.bytes.length >= run.totalBytes;
        yield { bytes: run.bytes, lastId: run.lastId, count: ends ? run.count : 0n, ends, shortEvents: ends ? run.shortEvents : 0 };
      }
    } finally {
      reader.close();
    }
  }
}
