// A small FoundationDB in memory: versions, conflicts, and outcomes as a test asks for them. It answers at once, counts what it is asked, and shows its
// rows. The other one, of test/simulation (database.ts, cluster.ts), lives by a scheduler and dice: there a test cannot say what becomes of one commit.
import {
  type Database,
  type FoundRows,
  type ReadRange,
  type Transaction,
  TransactionError,
  type Version,
} from "../../src/store/foundationdb/transactions.ts";

/** What becomes of a commit: the error its sender gets, and whether it takes effect; `late` ones do when `landLate` is called. */
export interface Fate {
  readonly error: number;
  readonly lands?: "now" | "late";
}

type Change = readonly [from: string, to: string, value: Buffer | null];
type Span = readonly [from: string, to: string];

interface Request {
  readonly readVersion: bigint | null;
  readonly reads: readonly Span[];
  readonly changes: readonly Change[];
}

const text = (key: Buffer): string => key.toString("latin1");
const only = (key: string): Span => [key, `${key}\0`];

export class FakeDatabase implements Database {
  readonly name = "fake";
  /** What was asked, in order: "version", "range", "commit", "begin". */
  asked: string[] = [];
  /** Fates of the next commits. */
  fates: Fate[] = [];
  /** Errors of the next reads. */
  readErrors: number[] = [];
  /** The most rows that one answer holds. */
  rowsMax = Number.MAX_SAFE_INTEGER;
  /** Commits land at one version, as those do that a proxy takes up together. */
  together = false;
  #gate: Promise<void> = Promise.resolve();
  version = 1000n;
  closed = false;
  /** Of each key all that it held, oldest first. */
  readonly #rows = new Map<string, { readonly version: bigint; readonly value: Buffer | null }[]>();
  #sorted: string[] | null = null;
  readonly #changes: { readonly version: bigint; readonly spans: readonly Span[] }[] = [];
  readonly #late: Request[] = [];

  begin(): Transaction {
    this.asked.push("begin");
    return new FakeTransaction(this);
  }

  close(): void {
    this.closed = true;
  }

  /** Nothing is answered until what this returns is called. */
  goAway(): () => void {
    let back = (): void => undefined;
    this.#gate = new Promise((resolve) => {
      back = resolve;
    });
    return () => back();
  }

  /** The physical rows, in key order (as Latin-1), for tests that look at the layout. */
  stored(): [string, Buffer][] {
    return this.#keys().flatMap((key): [string, Buffer][] => {
      const value = this.#at(key, this.version);
      return value === null ? [] : [[key, value]];
    });
  }

  /** Changes a physical row behind the engine's back. */
  damage(key: string, value: Buffer | null): void {
    this.#put(key, value);
  }

  /** Lands the commits that were to land late; whether each did. */
  landLate(): boolean[] {
    return this.#late.splice(0).map((request) => this.#land(request) === null);
  }

  ask<T>(what: string, work: () => T): Promise<T> {
    this.asked.push(what);
    return this.#gate.then(() => {
      const code = what === "commit" ? undefined : this.readErrors.shift();
      if (code !== undefined) throw new TransactionError(code, "as the test asks");
      return work();
    });
  }

  read({ from, to, limitRows, targetBytes, reverse }: ReadRange, version: bigint): FoundRows {
    const keys = this.#keys();
    const begin = keys.findIndex((key) => key >= text(from));
    const end = keys.findLastIndex((key) => key < text(to));
    const rows: [Buffer, Buffer][] = [];
    let bytes = 0;
    for (let i = 0; begin >= 0 && i <= end - begin; i++) {
      const key = keys[reverse ? end - i : begin + i] ?? "";
      const value = this.#at(key, version);
      if (value === null) continue;
      if (rows.length >= Math.min(limitRows, this.rowsMax) || (rows.length > 0 && bytes >= targetBytes)) return { rows, more: true };
      rows.push([Buffer.from(key, "latin1"), Buffer.from(value)]);
      bytes += key.length + value.length;
    }
    return { rows, more: false };
  }

  commit(request: Request): void {
    const fate = this.fates.shift();
    if (fate?.lands === "late") this.#late.push(request);
    const error = fate === undefined || fate.lands === "now" ? this.#land(request) : null;
    const code = fate?.error ?? error;
    if (code !== null) throw new TransactionError(code, "as the test asks");
  }

  #land({ readVersion, reads, changes }: Request): number | null {
    if (readVersion !== null && readVersion + 5_000_000n < this.version) return 1007;
    const changed = (span: Span) =>
      readVersion !== null &&
      this.#changes.some((change) => change.version > readVersion && change.spans.some(([from, to]) => from < span[1] && span[0] < to));
    if (reads.some(changed)) return 1020;
    if (!this.together) this.version += 10n;
    for (const [from, to, value] of changes) {
      if (value !== null) this.#put(from, value);
      else for (const key of this.#keys()) if (key >= from && key < to) this.#put(key, null);
    }
    this.#changes.push({ version: this.version, spans: changes.map(([from, to]) => [from, to]) });
    return null;
  }

  #at(key: string, version: bigint): Buffer | null {
    return this.#rows.get(key)?.findLast((held) => held.version <= version)?.value ?? null;
  }

  #put(key: string, value: Buffer | null): void {
    const held = this.#rows.get(key);
    if (held === undefined) {
      this.#rows.set(key, [{ version: this.version, value }]);
      this.#sorted = null;
    } else {
      held.push({ version: this.version, value });
    }
  }

  #keys(): string[] {
    this.#sorted ??= [...this.#rows.keys()].sort();
    return this.#sorted;
  }
}

class FakeTransaction implements Transaction {
  readonly #database: FakeDatabase;
  #readVersion: Promise<bigint> | null = null;
  readonly #reads: Span[] = [];
  readonly #changes: Change[] = [];
  #bytes = 0;
  #cancelled: TransactionError | null = null;
  #committed = 0n;

  constructor(database: FakeDatabase) {
    this.#database = database;
  }

  setReadVersion(version: Version): void {
    this.#readVersion = Promise.resolve(version.readBigUInt64BE(0));
  }

  async get(key: Buffer, snapshot: boolean): Promise<Buffer | null> {
    const to = Buffer.concat([key, Buffer.of(0)]);
    const { rows } = await this.range({ from: key, to, limitRows: 1, targetBytes: 1, reverse: false }, snapshot);
    return rows[0]?.[1] ?? null;
  }

  async range(range: ReadRange, snapshot: boolean): Promise<FoundRows> {
    if (!snapshot) this.#reads.push([text(range.from), text(range.to)]);
    this.#readVersion ??= this.#database.ask("version", () => this.#database.version);
    const version = await this.#readVersion;
    const found = await this.#database.ask("range", () => this.#database.read(range, version));
    if (this.#cancelled !== null) throw this.#cancelled;
    return found;
  }

  addReadConflictKey(key: Buffer): void {
    // As FoundationDB has it: what the transaction has written itself is no conflict.
    if (!this.#changes.some(([from, to]) => from <= text(key) && text(key) < to)) this.#reads.push(only(text(key)));
  }

  set(key: Buffer, value: Buffer): void {
    if (value.length > 100_000) throw new TransactionError(2103, "value_too_large");
    this.#bytes += 3 * key.length + value.length;
    this.#changes.push([...only(text(key)), Buffer.from(value)]);
  }

  clear(key: Buffer): void {
    this.clearRange(key, Buffer.concat([key, Buffer.of(0)]));
  }

  clearRange(from: Buffer, to: Buffer): void {
    if (text(from) > text(to)) throw new TransactionError(2005, "inverted_range");
    this.#bytes += 2 * (from.length + to.length);
    this.#changes.push([text(from), text(to), null]);
  }

  async commit(): Promise<void> {
    if (this.#bytes > 10_000_000) throw new TransactionError(2101, "transaction_too_large");
    if (this.#changes.length === 0) return;
    // As FoundationDB's client has it: what may conflict has a version from which it does, be it the commit's own.
    if (this.#reads.length > 0) this.#readVersion ??= this.#database.ask("version", () => this.#database.version);
    const request = { readVersion: await this.#readVersion, reads: this.#reads, changes: this.#changes };
    await this.#database.ask("commit", () => this.#database.commit(request));
    if (this.#cancelled !== null) throw this.#cancelled;
    this.#committed = this.#database.version;
  }

  committedVersion(): Version {
    const version = Buffer.alloc(8);
    version.writeBigUInt64BE(this.#committed);
    return version;
  }

  cancel(): void {
    this.#cancelled = new TransactionError(1025, "transaction_cancelled");
  }
}
