// The digest chain over events, computed on worker threads (docs/protocol.md, "Digest"; native/addon/core_digest.h).
import { addon } from "./addon.ts";

export interface DigestPair {
  readonly id: bigint;
  /** 32 bytes. */
  readonly digest: Buffer;
}

export interface DigestChain {
  /** Of the newest pair, as of the last call that has ended. */
  readonly id: bigint;
  /** Of the newest pair; a copy. */
  readonly digest: Buffer;
  /**
   * Extends the chain over the next bytes of a record stream (records may be cut anywhere between calls), on a worker thread unless they are few, and resolves
   * with the newest pair then. With `stopAtId` everything after that event is ignored. Calls are queued in order; those that queue up while
   * one runs are run together. The buffers must not change until the promise is settled.
   *
   * Rejects when an id does not follow the one before, or the framing is nonsense (checksums are not looked at again). The chain then stays at
   * the last whole event, and every later call rejects too.
   */
  advance(parts: readonly Buffer[], stopAtId?: bigint): Promise<DigestPair>;
}

interface NativeDigestChain {
  advance(
    parts: readonly Buffer[],
    partsEnds: readonly number[],
    stopIds: readonly bigint[],
    results: Buffer,
  ): Promise<{ jobsDone: number; error: string | null; afterId: bigint }>;
  advanceNow(parts: readonly Buffer[], result: Buffer): string | null;
}

const Native = (addon as { DigestChain: new (id: bigint, digest: Buffer) => NativeDigestChain }).DigestChain;

const DIGEST_BYTES = 32;
/** A pair in the results: id u64, digest. */
const PAIR_BYTES = 8 + DIGEST_BYTES;
const NO_STOP = (1n << 64n) - 1n;
/** So little is hashed at once, in a few microseconds: handing it to another thread and back costs more, and is felt in a commit's latency. */
const AT_ONCE_BYTES = 4096;

interface Job {
  readonly parts: readonly Buffer[];
  readonly stopAtId: bigint;
  readonly resolve: (pair: DigestPair) => void;
  readonly reject: (error: Error) => void;
}

class NativeBackedDigestChain implements DigestChain {
  readonly #native: NativeDigestChain;
  #newest: DigestPair;
  #queue: Job[] = [];
  #running = false;
  #failure: Error | null = null;

  constructor(start: DigestPair) {
    this.#native = new Native(start.id, start.digest);
    this.#newest = { id: start.id, digest: Buffer.from(start.digest) };
  }

  get id(): bigint {
    return this.#newest.id;
  }

  get digest(): Buffer {
    return Buffer.from(this.#newest.digest);
  }

  advance(parts: readonly Buffer[], stopAtId: bigint = NO_STOP): Promise<DigestPair> {
    if (!this.#running && stopAtId === NO_STOP && isLittle(parts)) {
      return this.#advanceNow(parts);
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ parts: [...parts], stopAtId, resolve, reject });
      if (!this.#running) {
        this.#running = true;
        void this.#drain();
      }
    });
  }

  async #advanceNow(parts: readonly Buffer[]): Promise<DigestPair> {
    if (this.#failure === null) {
      const result = Buffer.allocUnsafe(PAIR_BYTES);
      const error = this.#native.advanceNow(parts, result);
      const pair = { id: result.readBigUInt64LE(0), digest: result.subarray(8) };
      if (error === null) {
        this.#newest = pair;
        return { id: pair.id, digest: this.digest };
      }
      this.#failure = new Error(`digest chain: ${error} (after event ${pair.id})`);
    }
    throw this.#failure;
  }

  /** Runs what is queued, in one native call each time, until nothing is left. Never rejects: every failure goes to a job. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const jobs = this.#queue;
      this.#queue = [];
      if (this.#failure === null) {
        await this.#run(jobs);
      } else {
        for (const job of jobs) {
          job.reject(this.#failure);
        }
      }
    }
    this.#running = false;
  }

  async #run(jobs: readonly Job[]): Promise<void> {
    const parts: Buffer[] = [];
    const ends: number[] = [];
    for (const job of jobs) {
      parts.push(...job.parts);
      ends.push(parts.length);
    }
    const results = Buffer.alloc(jobs.length * PAIR_BYTES);
    let done = 0;
    try {
      const stops = jobs.map((job) => job.stopAtId);
      const outcome = await this.#native.advance(parts, ends, stops, results);
      done = outcome.jobsDone;
      if (outcome.error !== null) {
        this.#failure = new Error(`digest chain: ${outcome.error} (after event ${outcome.afterId})`);
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
    for (const [index, job] of jobs.entries()) {
      if (index < done) {
        const at = index * PAIR_BYTES;
        this.#newest = { id: results.readBigUInt64LE(at), digest: results.subarray(at + 8, at + PAIR_BYTES) };
        job.resolve({ id: this.#newest.id, digest: this.digest });
      } else {
        job.reject(this.#failure ?? new Error("digest chain: a call was not run"));
      }
    }
  }
}

function isLittle(parts: readonly Buffer[]): boolean {
  let lengthBytes = 0;
  for (const part of parts) {
    lengthBytes += part.length;
    if (lengthBytes > AT_ONCE_BYTES) {
      return false;
    }
  }
  return true;
}

/** Starts a chain after the given pair. Throws when the digest has not 32 bytes, or this Node binary offers no SHA-256. */
export function createDigestChain(start: DigestPair): DigestChain {
  return new NativeBackedDigestChain(start);
}
