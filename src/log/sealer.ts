// Seals waiting units into blocks when the committer asks, and acknowledges them in order once they are durable.
import { freeAssembled } from "../native/assembler.ts";
import type { StoreError } from "../store/errors.ts";
import type { CommitOutcome, Kv, Write } from "../store/kv.ts";
import { keys } from "../store/layout.ts";
import type { SeguroError } from "../wire/errors.ts";
import { BLOCK_HEADER_BYTES, encodeBlockHeader } from "./block.ts";
import type { Claim } from "./claim.ts";
import type { CommitSource, Committer, SizedCommit } from "./committer.ts";
import { Digester } from "./digester.ts";
import { asSeguroError } from "./errors.ts";
import { BLOCK_BYTES } from "./limits.ts";
import { fencedError } from "./staging.ts";

/** Records that go into one block together: a run, or a whole atomic batch. */
export interface Unit {
  readonly parts: readonly Buffer[];
  readonly firstId: bigint;
  readonly lastId: bigint;
  readonly lengthBytes: number;
}

export interface SealerEvents {
  /** Everything through the log's height is durable. */
  acknowledged(): void;
  /** The store or the digest failed, or the claim was lost; nothing more will be acknowledged. Said once. */
  failed(error: SeguroError): void;
  /** A sealed unit's bytes are no longer needed: committed (or failed) and digested. */
  released(lengthBytes: number): void;
}

interface Sealed {
  readonly firstId: bigint;
  readonly lastId: bigint;
  durable: boolean;
}

export class Sealer implements CommitSource {
  readonly #claim: Claim;
  readonly #committer: Committer;
  readonly #events: SealerEvents;
  readonly #digester: Digester;
  /** False only in benchmarks (`LogsOptions`). */
  readonly #digests: boolean;
  #units: Unit[] = [];
  /** Sealed and not yet acknowledged, in order. */
  readonly #inFlight: Sealed[] = [];
  #creation: readonly Write[];
  #pendingWork = 0;
  #failure: SeguroError | null = null;
  /** First event of a log that was empty: the base to be, while its block is not durable yet. */
  #base = 0n;
  #quietWaiters: (() => void)[] = [];

  constructor(kv: Kv, committer: Committer, claim: Claim, events: SealerEvents, digests: boolean) {
    this.#digests = digests;
    this.#claim = claim;
    this.#committer = committer;
    this.#events = events;
    this.#digester = new Digester(kv, claim.log);
    this.#creation = claim.creation;
  }

  get digester(): Digester {
    return this.#digester;
  }

  /** Why nothing more will be acknowledged, or null. */
  get failure(): SeguroError | null {
    return this.#failure;
  }

  /** Takes a unit that follows the one before it. */
  add(unit: Unit): void {
    if (this.#failure === null) {
      this.#units.push(unit);
      this.#committer.enqueue(this);
    }
  }

  /** The writes that make this log known: for the first commit under the claim; later ones get none. */
  takeCreation(): readonly Write[] {
    const creation = this.#creation;
    this.#creation = [];
    return creation;
  }

  /** Resolves when everything taken so far has been acknowledged and digested, or the sealer has failed. */
  async quiet(): Promise<void> {
    while (this.#failure === null ? this.#units.length > 0 || this.#pendingWork > 0 : this.#pendingWork > 0) {
      await new Promise<void>((resolve) => this.#quietWaiters.push(resolve));
    }
  }

  take(): SizedCommit | null {
    if (this.#units.length === 0 || this.#failure !== null) {
      return null;
    }
    const units = this.#nextUnits();
    const first = units[0];
    const last = units.at(-1);
    if (first === undefined || last === undefined) {
      return null;
    }
    const parts = units.flatMap((unit) => unit.parts);
    const lengthBytes = units.reduce((sum, unit) => sum + unit.lengthBytes, 0);
    const value = [this.#header(first.firstId, last.lastId, lengthBytes), ...parts];
    const key = keys.block(this.#claim.log.name, first.firstId);
    const sealed: Sealed = { firstId: first.firstId, lastId: last.lastId, durable: false };
    this.#inFlight.push(sealed);
    this.#pendingWork += 2;
    let users = 2;
    const release = (): void => {
      users--;
      if (users === 0) {
        parts.forEach(freeAssembled);
        this.#events.released(lengthBytes);
      }
      this.#finishWork();
    };
    this.#digest(first.firstId, parts, release);
    return {
      commit: { checks: [this.#claim.check], writes: [...this.takeCreation(), { kind: "put", key, value }] },
      lengthBytes: lengthBytes + BLOCK_HEADER_BYTES,
      settled: (outcome) => {
        this.#settled(sealed, outcome);
        release();
      },
      failed: (error: StoreError) => {
        this.#fail(asSeguroError(error));
        release();
      },
    };
  }

  /** Units for one block: at least one, and as many as fit. */
  #nextUnits(): Unit[] {
    let count = 0;
    let lengthBytes = 0;
    for (const unit of this.#units) {
      if (count > 0 && lengthBytes + unit.lengthBytes > BLOCK_BYTES) {
        break;
      }
      lengthBytes += unit.lengthBytes;
      count++;
    }
    return this.#units.splice(0, count);
  }

  #header(firstId: bigint, lastId: bigint, lengthBytes: number): Buffer {
    const { log, epoch } = this.#claim;
    if (this.#base === 0n) {
      this.#base = log.base === 0n ? firstId : log.base;
    }
    return encodeBlockHeader({
      name: log.name,
      epoch,
      firstId,
      count: lastId - firstId + 1n,
      bytes: BigInt(lengthBytes),
      floor: log.height,
      pair: log.chainStart(this.#base),
      manifest: null,
    });
  }

  /** The digest is computed while the commit is being flushed, so that the acknowledgement can carry it. */
  #digest(firstId: bigint, parts: readonly Buffer[], release: () => void): void {
    if (!this.#digests) {
      release();
      return;
    }
    this.#digester
      .feed(firstId, parts)
      .catch((error: unknown) => this.#fail(asSeguroError(error)))
      .finally(release);
  }

  #settled(sealed: Sealed, outcome: CommitOutcome): void {
    if (outcome === "check-failed") {
      this.#fail(fencedError(this.#claim));
      return;
    }
    sealed.durable = true;
    let rose = false;
    // In order: what is durable beyond one that is not yet stays unacknowledged.
    while (this.#failure === null && this.#inFlight[0]?.durable === true) {
      const next = this.#inFlight.shift();
      if (next !== undefined) {
        this.#claim.log.rise(next.firstId, next.lastId);
        rose = true;
      }
    }
    if (rose) {
      this.#events.acknowledged();
    }
  }

  #fail(error: SeguroError): void {
    if (this.#failure === null) {
      this.#failure = error;
      this.#units = [];
      this.#events.failed(error);
    }
  }

  #finishWork(): void {
    this.#pendingWork--;
    if (this.#pendingWork === 0 || this.#failure !== null) {
      const waiters = this.#quietWaiters;
      this.#quietWaiters = [];
      for (const wake of waiters) {
        wake();
      }
    }
  }
}
