// The distributed engine: rows in FoundationDB, one transaction a commit. Every outcome of a transaction is resolved here, by reading where it is unknown.
import { setMaxListeners } from "node:events";
import type { Check, Commit, CommitOutcome, Kv, KvLimits, RangeOptions, Rows, Write } from "../kv.ts";
import { rangeOptions, requireBounds, requireGroup, requireKey } from "../misuse.ts";
import { Allowance } from "./allowance.ts";
import { type Bounds, type Collected, collect, EVERYTHING, type Limits, onlyValue, packRows } from "./collect.ts";
import { FragmentDamage, FragmentNewer } from "./fragments.ts";
import { KnownValues } from "./known.ts";
import { applyMutations, type Mutation, mutationsOf, sizeOf, touches } from "./mutations.ts";
import { finalError, foundationError, isTooOld, NOT_COMMITTED, outcomeOf, reasonOf } from "./outcomes.ts";
import { type Call, type StallReport, StallWatch } from "./stall.ts";
import type { Time } from "./time.ts";
import { type Database, type Transaction, TransactionError, type Version } from "./transactions.ts";
import { afterFragments, packFragment, packStem } from "./tuple.ts";

export interface FoundationOptions extends StallReport {
  /** What every physical key begins with. */
  readonly prefix: Buffer;
  readonly time: Time;
  /** For people; default: made of the database's name. */
  readonly name?: string;
  /** Greatest value of one physical row; default as measured (docs/architecture.md). */
  readonly fragmentBytes?: number;
}

type PutWrite = Extract<Write, { kind: "put" }>;

const MEBIBYTE = 1024 * 1024;
const FRAGMENT_BYTES = 90_000;
const CLOSE_PATIENCE_MS = 5000;
const BACKOFF_FIRST_MS = 5;
const BACKOFF_MAX_MS = 1000;

/** One commit through all of its attempts. */
interface Attempts {
  readonly commit: Commit;
  readonly mutations: readonly Mutation[];
  /** When the newest attempt was sent; null while it still reads. */
  sentMs: number | null;
  /** An attempt was sent whose outcome is not known: it took effect, or did not, or still may. */
  inDoubt: boolean;
}

function witnessPut({ witness, writes }: Commit): PutWrite | null {
  if (witness === undefined) return null;
  return writes.filter((write) => write.kind === "put").findLast((put) => put.key.equals(witness)) ?? null;
}

/** A store in a FoundationDB cluster. Made by `openFoundation`, or over a simulated database. */
export class FoundationKv implements Kv {
  readonly name: string;
  /**
   * FoundationDB takes 10,000,000 bytes a transaction, keys and conflict ranges counted. One commit is one transaction, so groups have one member and
   * are made faster by having several under way.
   */
  readonly limits: KvLimits = {
    valueBytes: 8 * MEBIBYTE,
    commitBytes: 8.5 * MEBIBYTE,
    commitsInFlight: 50,
    commitsInFlightPerLog: 8,
    groupMembers: 1,
  };
  readonly shared = true;
  readonly #database: Database;
  readonly #options: Required<Pick<FoundationOptions, "prefix" | "time" | "fragmentBytes">>;
  readonly #known = new KnownValues();
  readonly #allowance = new Allowance();
  readonly #watch: StallWatch;
  readonly #open = new Set<Transaction>();
  readonly #retries = new Map<number, number>();
  /** Aborted when calls under way are given up. */
  readonly #end = new AbortController();
  #commitsUnderWay = 0;
  #commits = 0;
  #closing: Promise<void> | undefined;

  constructor(database: Database, options: FoundationOptions) {
    const { prefix, time, fragmentBytes = FRAGMENT_BYTES } = options;
    this.name = options.name ?? `foundationdb:${database.name}`;
    this.#database = database;
    this.#options = { prefix, time, fragmentBytes };
    // Every call that waits to try again listens, and there may be many: that is no leak.
    setMaxListeners(0, this.#end.signal);
    this.#watch = new StallWatch(time, options, this.#end.signal);
  }

  get(key: Buffer): Promise<Buffer | null> {
    return this.#call("a read", async (call) => {
      requireKey(key);
      return this.#reading(call, async (transaction) => onlyValue(await this.#collectKey(transaction, key, true)));
    });
  }

  range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows> {
    return this.#call("a read", async (call) => {
      requireBounds(from, to);
      let limits: Limits = rangeOptions(options);
      if (Buffer.compare(from, to) >= 0) return { bytes: Buffer.alloc(0), count: 0, more: false };
      const { prefix } = this.#options;
      const bounds = { from: packStem(prefix, from), to: packStem(prefix, to) };
      return this.#reading(call, async (transaction) => {
        try {
          return packRows(await this.#collect(transaction, bounds, limits, true), options?.into);
        } catch (error) {
          // A snapshot is readable for five seconds. Where they are not enough, the next attempt asks for less.
          if (isTooOld(error)) limits = { ...limits, limitBytes: Math.floor(limits.limitBytes / 2) };
          throw error;
        }
      });
    });
  }

  commit(group: readonly Commit[]): Promise<CommitOutcome[]> {
    return this.#call("a commit", async (call) => {
      requireGroup(group, this.limits);
      this.#commitsUnderWay++;
      try {
        const outcomes: CommitOutcome[] = [];
        for (const commit of group) outcomes.push(await this.#commit(call, commit));
        return outcomes;
      } finally {
        this.#commitsUnderWay--;
      }
    });
  }

  stats(): Promise<Record<string, number | string>> {
    return this.#call("figures", async (own) => {
      const oldest = this.#watch.oldest();
      const retries = Array.from(this.#retries, ([code, count]) => [`retries.${code}`, count] as const);
      return {
        cluster: this.#database.name,
        prefix: this.#options.prefix.toString("latin1"),
        commits: this.#commits,
        commitsUnderWay: this.#commitsUnderWay,
        callsUnderWay: this.#watch.underWay - 1,
        oldestCallSeconds: oldest === null || oldest.call === own ? 0 : Math.floor(oldest.ms / 1000),
        ...(oldest?.call.reason == null ? {} : { waitingFor: oldest.call.reason }),
        ...Object.fromEntries(retries),
      };
    });
  }

  /** A cluster that is away would let it wait for ever: calls under way are given up after `patienceMs`. */
  close(patienceMs = CLOSE_PATIENCE_MS): Promise<void> {
    this.#closing ??= this.#close(patienceMs);
    return this.#closing;
  }

  async #close(patienceMs: number): Promise<void> {
    const idle = new AbortController();
    await Promise.race([this.#watch.untilIdle(), this.#options.time.sleep(patienceMs, idle.signal)]);
    idle.abort();
    this.#end.abort();
    for (const transaction of this.#open) transaction.cancel();
    await this.#watch.untilIdle();
    this.#database.close();
  }

  async #call<T>(what: string, body: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw foundationError("store-closed", `${this.name}: the store is closed`);
    const call = this.#watch.begin(what);
    try {
      return await body(call);
    } catch (error) {
      if (error instanceof FragmentDamage) throw foundationError("store-damaged", `${this.name}: ${error.message}`, error);
      if (error instanceof FragmentNewer) throw foundationError("store-newer", `${this.name}: ${error.message}`, error);
      throw error;
    } finally {
      this.#watch.end(call);
    }
  }

  /** Runs `read` in a transaction of its own, again and again until it goes well or cannot. */
  async #reading<T>(call: Call, read: (transaction: Transaction) => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await this.#within(read);
      } catch (error) {
        await this.#recover(call, error, failures);
      }
    }
  }

  /** Runs `work` with a new transaction, and ends that whatever happens. */
  async #within<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    if (this.#end.signal.aborted) throw foundationError("store-closed", `${this.name}: the store was closed`);
    const transaction = this.#database.begin();
    this.#open.add(transaction);
    try {
      return await work(transaction);
    } finally {
      this.#open.delete(transaction);
      transaction.cancel();
    }
  }

  async #commit(call: Call, commit: Commit): Promise<CommitOutcome> {
    const { prefix, fragmentBytes } = this.#options;
    const mutations = mutationsOf(commit.writes, prefix, fragmentBytes);
    if (commit.witness !== undefined && witnessPut(commit) === null)
      throw new RangeError("a witness is the key of one of its commit's puts");
    const attempts: Attempts = { commit, mutations, sentMs: null, inDoubt: false };
    for (let failures = 0; ; failures++) {
      const known = failures === 0 && mutations.length > 0 ? this.#knownFor(commit.checks, mutations) : null;
      try {
        return await this.#within((transaction) => this.#attempt(transaction, attempts, known));
      } catch (error) {
        if (known !== null) this.#known.forget(commit.checks);
        await this.#recover(call, error, failures, attempts);
      }
    }
  }

  /** A version at which the checks are known to hold, unless it is time to ask the cluster for one. */
  #knownFor(checks: readonly Check[], mutations: readonly Mutation[]): Version | null {
    const known = this.#known.versionFor(checks, this.#options.time.nowMs());
    return known !== null && this.#allowance.take(sizeOf(mutations)) ? known : null;
  }

  /** One transaction: either conflicts alone tell whether the checks hold (what they ask was true at `known`), or they are read. */
  async #attempt(transaction: Transaction, attempts: Attempts, known: Version | null): Promise<CommitOutcome> {
    const { checks, witness } = attempts.commit;
    attempts.sentMs = null;
    if (known !== null) {
      transaction.setReadVersion(known);
      for (const { key } of checks) transaction.addReadConflictKey(this.#firstFragment(key));
    } else {
      if (attempts.inDoubt && (await this.#landed(transaction, attempts.commit))) return this.#noteCommit();
      const held = await Promise.all(checks.map((check) => this.#holds(transaction, check)));
      if (checks.length > 0) this.#allowance.renew();
      if (held.includes(false)) return "check-failed";
    }
    if (attempts.mutations.length === 0) return this.#noteCommit();
    // An attempt that lands late, after a later one has landed, finds the witness changed: so no attempt can undo what came after its commit. It has
    // to be said before the writes, because what a transaction has written itself never conflicts.
    if (witness !== undefined) transaction.addReadConflictKey(this.#firstFragment(witness));
    applyMutations(transaction, attempts.mutations);
    const sentMs = this.#options.time.nowMs();
    attempts.sentMs = sentMs;
    await this.#send(transaction, attempts);
    this.#remember(attempts.commit, transaction.committedVersion(), sentMs);
    return this.#noteCommit();
  }

  /** Commits; notes an outcome that is not known. */
  async #send(transaction: Transaction, attempts: Attempts): Promise<void> {
    try {
      await transaction.commit();
    } catch (error) {
      if (error instanceof TransactionError && outcomeOf(error.code, "commit") === "unknown") {
        attempts.inDoubt = true;
        if (attempts.commit.witness === undefined || this.#end.signal.aborted) throw this.#unknown(error);
      }
      throw error;
    }
  }

  /** Whether an earlier attempt took effect: its witness is there. */
  async #landed(transaction: Transaction, commit: Commit): Promise<boolean> {
    const put = witnessPut(commit);
    if (put === null) return false;
    const value = onlyValue(await this.#collectKey(transaction, put.key, false));
    return value?.equals(Buffer.concat(put.value)) === true;
  }

  async #holds(transaction: Transaction, check: Check): Promise<boolean> {
    const value = onlyValue(await this.#collectKey(transaction, check.key, false));
    return check.value === null ? value === null : value?.equals(check.value) === true;
  }

  #remember(commit: Commit, version: Version, sentMs: number): void {
    for (const check of commit.checks) {
      if (commit.writes.some((write) => touches(write, check.key))) this.#known.forget([check]);
      else this.#known.held(check, version, sentMs);
    }
  }

  #noteCommit(): "committed" {
    this.#commits++;
    return "committed";
  }

  /** After an error: waits, if the call is to be tried again; throws what the caller gets, if not. */
  async #recover(call: Call, error: unknown, failures: number, attempts?: Attempts): Promise<void> {
    if (!(error instanceof TransactionError)) throw error;
    const { code } = error;
    const outcome = outcomeOf(code, attempts === undefined || attempts.sentMs === null ? "read" : "commit");
    const inDoubt = attempts?.inDoubt === true;
    if (this.#end.signal.aborted || outcome === "closed") {
      throw inDoubt ? this.#unknown(error) : foundationError("store-closed", `${this.name}: the store was closed`, error);
    }
    if (outcome === "final" && inDoubt) throw this.#unknown(error);
    if (outcome === "final" || (outcome === "full" && !inDoubt)) throw finalError(this.name, error);
    this.#retries.set(code, (this.#retries.get(code) ?? 0) + 1);
    call.reason = reasonOf(code);
    if (code === NOT_COMMITTED && failures === 0) return;
    const { time } = this.#options;
    const ms = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 20));
    await time.sleep(ms * (0.5 + time.random() / 2), this.#end.signal);
  }

  #unknown(error: TransactionError): Error {
    return foundationError("store-failed", `${this.name}: whether a commit took effect is not known: ${reasonOf(error.code)}`, error);
  }

  #firstFragment(key: Buffer): Buffer {
    return packFragment(packStem(this.#options.prefix, key), 0);
  }

  #collectKey(transaction: Transaction, key: Buffer, snapshot: boolean): Promise<Collected> {
    const stem = packStem(this.#options.prefix, key);
    return this.#collect(transaction, { from: packFragment(stem, 0), to: afterFragments(stem) }, EVERYTHING, snapshot);
  }

  #collect(transaction: Transaction, bounds: Bounds, limits: Limits, snapshot: boolean): Promise<Collected> {
    return collect(transaction, bounds, { limits, prefix: this.#options.prefix, snapshot });
  }
}
