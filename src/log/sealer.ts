// Seals waiting units into blocks when the committer asks, and acknowledges them in order once they are durable.
import { freeAssembled } from "../native/assembler.ts";
import type { LaneEnd } from "../native/ring-lane.ts";
import type { StoreError } from "../store/errors.ts";
import type { CommitOutcome, Kv } from "../store/kv.ts";
import { keys } from "../store/layout.ts";
import type { SeguroError } from "../wire/errors.ts";
import { BLOCK_HEADER_BYTES, encodeBlockHeader } from "./block.ts";
import type { Claim } from "./claim.ts";
import type { CommitSource, Committer, SizedCommit } from "./committer.ts";
import type { Creation } from "./creation.ts";
import { Digester } from "./digester.ts";
import { asSeguroError } from "./errors.ts";
import { BLOCK_BYTES } from "./limits.ts";
import { digestWrite } from "./log-records.ts";
import { fencedError } from "./succession.ts";

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
  /** Everything taken so far has been acknowledged and digested. */
  quiet(): void;
}

interface Sealed {
  readonly firstId: bigint;
  readonly lastId: bigint;
  durable: boolean;
}

/** How many blocks may be sealed and not yet acknowledged. */
function mostInFlight({ limits }: Kv, empty: boolean): number {
  if (limits.commitsInFlight === 1) {
    // One commit after the other, in order: however many blocks one of them takes, none can land without those before it.
    return Number.POSITIVE_INFINITY;
  }
  // A second block that landed without the first would look like a log that begins there.
  return empty ? 1 : limits.commitsInFlightPerLog;
}

export class Sealer implements CommitSource {
  readonly #kv: Kv;
  readonly #claim: Claim;
  readonly #creation: Creation;
  readonly #committer: Committer;
  readonly #events: SealerEvents;
  readonly #digester: Digester;
  /** False only in benchmarks (`LogsOptions`). */
  readonly #digests: boolean;
  #units: Unit[] = [];
  /** Sealed and not yet acknowledged, in order. */
  readonly #inFlight: Sealed[] = [];
  /** Units wait for blocks before them to be acknowledged. */
  #held = false;
  #pendingWork = 0;
  /** A check has failed; what has happened is being read. */
  #fenced = false;
  #failure: SeguroError | null = null;
  /** First event of a log that was empty: the base to be, while its block is not durable yet. */
  #base = 0n;
  /** Where the store says already how far the digest came. */
  readonly #recordedId: bigint;
  readonly #quietWaiters: (() => void)[] = [];

  constructor(kv: Kv, committer: Committer, claim: Claim, creation: Creation, events: SealerEvents, digests: boolean) {
    this.#kv = kv;
    this.#digests = digests;
    this.#claim = claim;
    this.#creation = creation;
    this.#committer = committer;
    this.#events = events;
    this.#digester = new Digester(kv, claim.log);
    this.#recordedId = claim.log.pair.id;
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

  /** What held blocks back may have ended. */
  resume(): void {
    if (this.#held) {
      this.#held = false;
      this.#committer.enqueue(this);
    }
  }

  /** Gives up: what is not under way is dropped, and nothing more is acknowledged. */
  fail(error: SeguroError): void {
    if (this.#failure === null) {
      this.#failure = error;
      this.#units = [];
      this.#events.failed(error);
      this.#wake();
    }
  }

  get isQuiet(): boolean {
    return this.#failure === null && this.#units.length === 0 && this.#pendingWork === 0;
  }

  /** Resolves when everything taken so far has been acknowledged and digested, or the sealer has failed. */
  async quiet(): Promise<void> {
    while (this.#failure === null ? this.#units.length > 0 || this.#pendingWork > 0 : this.#pendingWork > 0) {
      await new Promise<void>((resolve) => this.#quietWaiters.push(resolve));
    }
  }

  /**
   * After `quiet`, before the claim ends: writes down the newest digest, so that nobody has to read back what this session wrote. When it fails,
   * the next writer reads back as much as after a crash.
   */
  async record(): Promise<void> {
    const { log, check } = this.#claim;
    const { pair } = log;
    if (this.#failure === null && this.#digests && pair.id > this.#recordedId && pair.id >= log.base) {
      const write = digestWrite(log.name, pair);
      await this.#committer.submit({ checks: [check], writes: [write], witness: write.key }, 0).catch(() => undefined);
    }
  }

  take(): SizedCommit | null {
    if (this.#units.length === 0 || this.#failure !== null || this.#fenced) {
      return null;
    }
    if (this.#creation.pending || this.#inFlight.length >= mostInFlight(this.#kv, this.#claim.log.height === 0n)) {
      this.#held = true;
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
      commit: { checks: [this.#claim.check], writes: [...this.#creation.take(), { kind: "put", key, value }], witness: key },
      lengthBytes: lengthBytes + BLOCK_HEADER_BYTES,
      settled: (outcome) => this.#settled(sealed, outcome, release),
      failed: (error: StoreError) => {
        this.#creation.settled();
        this.fail(asSeguroError(error));
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
      .catch((error: unknown) => this.fail(asSeguroError(error)))
      .finally(release);
  }

  #settled(sealed: Sealed, outcome: CommitOutcome, release: () => void): void {
    this.#creation.settled();
    if (outcome === "check-failed") {
      // The session is told who has taken over; nothing is acknowledged any more while that is being read.
      void this.#sayFenced().finally(release);
      return;
    }
    sealed.durable = true;
    let rose = false;
    // In order: what is durable beyond one that is not yet stays unacknowledged.
    while (this.#failure === null && !this.#fenced && this.#inFlight[0]?.durable === true) {
      const next = this.#inFlight.shift();
      if (next !== undefined) {
        this.#claim.log.rise(next.firstId, next.lastId);
        rose = true;
      }
    }
    if (rose) {
      this.#events.acknowledged();
      this.resume();
    }
    release();
  }

  /** A lane wrote in our place and has ended: what it left is gone on with, or it has failed as a commit of ours would. */
  goOnAfter(end: LaneEnd): void {
    this.#digester.restart();
    if (end.ending === "failed") {
      const { lanes } = this.#kv;
      this.fail(lanes === undefined ? asSeguroError(new Error(end.message)) : asSeguroError(lanes.errorOf(end.code, end.message)));
    } else if (end.ending === "fenced") {
      this.#pendingWork++;
      void this.#sayFenced().finally(() => this.#finishWork());
    } else if (end.owesAcknowledgement) {
      this.#events.acknowledged();
    }
  }

  async #sayFenced(): Promise<void> {
    this.#fenced = true;
    this.fail(await fencedError(this.#kv, this.#claim.log.name.ship));
  }

  #finishWork(): void {
    this.#pendingWork--;
    if (this.#pendingWork === 0 || this.#failure !== null) {
      this.#wake();
    }
    if (this.isQuiet) {
      this.#events.quiet();
    }
  }

  #wake(): void {
    for (const wake of this.#quietWaiters.splice(0)) {
      wake();
    }
  }
}
