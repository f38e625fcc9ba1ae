// A simulated FoundationDB cluster: versions that rise with time, commits checked for conflicts, five seconds' memory, outages.
import { TransactionError } from "../../src/store/foundationdb/transactions.ts";
import type { Chance } from "./chance.ts";
import { CONFLICT, commitFate, type FaultRates, FULL, FUTURE, LOCKED, NO_FAULTS, readFailure, TOO_OLD } from "./faults.ts";
import type { Scheduler } from "./scheduler.ts";
import { type KeyRange, type Mutation, Versions } from "./versions.ts";

const VERSIONS_PER_MS = 1000n;
/** Reads and commits at a version older than this are refused: five seconds' worth. */
const VERSIONS_KEPT = 5_000_000n;
/** A recovery of the cluster makes every version before it too old. */
const RECOVERY_VERSIONS = 100_000_000n;

/** A commit as it travels. */
export interface CommitRequest {
  readonly mutations: readonly Mutation[];
  readonly reads: readonly KeyRange[];
  /** Null when nothing is checked for conflicts. */
  readonly readVersion: bigint | null;
}

export interface Landing {
  /** The error that the sender gets, or null. */
  readonly error: number | null;
  readonly version: bigint;
}

interface Batch {
  readonly version: bigint;
  readonly closed: Promise<void>;
}

export class Cluster {
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly versions = new Versions();
  rates: FaultRates;
  /** The newest version that was given out or written at. */
  #version = 1n;
  #batch: Batch | null = null;
  #recovered = 0n;
  #lockedUntilMs = 0;
  #overQuotaUntilMs = 0;
  /** How many of the proxies know that there is a quota, and that it is used up: from none to all, 0 to 1. */
  #quotaKnown = 0;
  #withoutSpaceUntilMs = 0;
  awayUntilMs = 0;

  /** How long commits are gathered that get one version, on average. */
  readonly #batchMs: number;
  /** What happened, and how often. */
  readonly counts = new Map<string, number>();

  constructor(scheduler: Scheduler, chance: Chance, rates: FaultRates, batchMs: number) {
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.rates = rates;
    this.#batchMs = batchMs;
  }

  /** Notes that something happened. */
  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Nothing answers for so long; when it does, versions may have jumped. */
  goAway(forMs: number, recovery: boolean): void {
    this.awayUntilMs = Math.max(this.awayUntilMs, this.#scheduler.nowMs + forMs);
    if (recovery) {
      this.#recovered += RECOVERY_VERSIONS;
    }
  }

  lock(forMs: number): void {
    this.#lockedUntilMs = this.#scheduler.nowMs + forMs;
  }

  /** The quota is used up for so long. Proxies hear of it one by one: where not all of them know, some commits are refused, and others land. */
  overQuota(forMs: number, known: number): void {
    this.#overQuotaUntilMs = this.#scheduler.nowMs + forMs;
    this.#quotaKnown = known;
  }

  /** The disks have no space for so long: no commit is refused, and none ends. Reads go on. */
  withoutSpace(forMs: number): void {
    this.#withoutSpaceUntilMs = this.#scheduler.nowMs + forMs;
  }

  /** From now on everything goes well. */
  heal(): void {
    this.rates = NO_FAULTS;
    this.awayUntilMs = 0;
    this.#lockedUntilMs = 0;
    this.#overQuotaUntilMs = 0;
    this.#withoutSpaceUntilMs = 0;
  }

  readVersion(): bigint {
    this.#requireUnlocked();
    return this.#now();
  }

  get(key: string, version: bigint): Buffer | null {
    this.#requireReadable(version);
    return this.versions.get(key, version);
  }

  /** Rows until the limits are reached; sometimes fewer. */
  range(
    range: KeyRange,
    version: bigint,
    limits: { rows: number; bytes: number; reverse: boolean },
  ): { rows: [string, Buffer][]; more: boolean } {
    this.#requireReadable(version);
    const rowsMax = this.#chance.odds(this.rates.short / 1000) ? Math.min(limits.rows, this.#chance.between(1, 3)) : limits.rows;
    const rows: [string, Buffer][] = [];
    let bytes = 0;
    for (const [key, value] of this.versions.rows(range, version, limits.reverse)) {
      if (rows.length >= rowsMax || (rows.length > 0 && bytes >= limits.bytes)) {
        return { rows, more: true };
      }
      rows.push([key, value]);
      bytes += key.length + value.length;
    }
    return { rows, more: false };
  }

  /** A commit has arrived. A late one lands after its sender was told that nothing is known. */
  async arrive(request: CommitRequest): Promise<Landing> {
    if (this.#scheduler.nowMs < this.#lockedUntilMs) {
      return { error: LOCKED, version: 0n };
    }
    if (this.#scheduler.nowMs < this.#overQuotaUntilMs && this.#chance.odds(this.#quotaKnown)) {
      this.count(String(FULL));
      return { error: FULL, version: 0n };
    }
    while (this.#scheduler.nowMs < this.#withoutSpaceUntilMs) {
      await this.#scheduler.sleep(this.#withoutSpaceUntilMs - this.#scheduler.nowMs);
    }
    const fate = commitFate(this.rates, this.#chance);
    this.count(fate.error === null ? "as it should" : `${fate.error}${fate.lands ? ", may land" : ""}`);
    if (!fate.lands) {
      return { error: fate.error, version: 0n };
    }
    if (fate.lateMs > 0) {
      this.#scheduler.after(fate.lateMs, () => this.count(this.#land(request).error === null ? "late, landed" : "late, refused"));
      return { error: fate.error, version: 0n };
    }
    const landing = this.#land(request);
    if (landing.error === null) {
      await this.#batch?.closed;
    }
    return { error: fate.error ?? landing.error, version: landing.version };
  }

  #land({ mutations, reads, readVersion }: CommitRequest): Landing {
    const now = this.#now();
    if (readVersion !== null && readVersion + VERSIONS_KEPT < now) {
      return { error: TOO_OLD, version: 0n };
    }
    if (readVersion !== null && this.versions.changedSince(reads, readVersion)) {
      this.count("conflicts");
      return { error: CONFLICT, version: 0n };
    }
    if (this.#batch !== null) {
      this.count("share a version");
    }
    this.#batch ??= this.#openBatch(now + 1n);
    this.versions.apply(mutations, this.#batch.version);
    return { error: null, version: this.#batch.version };
  }

  /** Commits that land within a short time share one version, which nobody reads at before all of them have landed. */
  #openBatch(version: bigint): Batch {
    const closed = new Promise<void>((resolve) => {
      this.#scheduler.after(this.#chance.around(this.#batchMs), () => {
        this.#version = version;
        this.#batch = null;
        resolve();
      });
    });
    return { version, closed };
  }

  /** The newest version that may be read at. */
  #now(): bigint {
    const byTime = BigInt(Math.floor(this.#scheduler.nowMs)) * VERSIONS_PER_MS + this.#recovered;
    if (this.#batch === null && byTime > this.#version) {
      this.#version = byTime;
    }
    return this.#version;
  }

  #requireUnlocked(): void {
    if (this.#scheduler.nowMs < this.#lockedUntilMs) {
      throw new TransactionError(LOCKED, "database_locked");
    }
  }

  #requireReadable(version: bigint): void {
    const failure = readFailure(this.rates, this.#chance);
    if (failure !== null) {
      throw new TransactionError(failure, "a simulated failure of a read");
    }
    const now = this.#now();
    if (version > now) {
      throw new TransactionError(FUTURE, "future_version");
    }
    if (version + VERSIONS_KEPT < now) {
      throw new TransactionError(TOO_OLD, "transaction_too_old");
    }
  }
}
