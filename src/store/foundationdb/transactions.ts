// What the FoundationDB engine needs of FoundationDB: transactions over ordered keys. The npm package implements it, and so does the simulation.

/** A version of the database, as the client library gives it: eight bytes, big-endian, rising. */
export type Version = Buffer;

export interface FoundRows {
  /** In the order asked for. Private copies. */
  readonly rows: readonly (readonly [key: Buffer, value: Buffer])[];
  /** The range held further rows when the limits were reached. */
  readonly more: boolean;
}

export interface ReadRange {
  readonly from: Buffer;
  readonly to: Buffer;
  readonly limitRows: number;
  /** Stop soon after so many bytes; at least one row comes. */
  readonly targetBytes: number;
  readonly reverse: boolean;
}

/**
 * One transaction, used by one caller. Reads see one version (the one set, or a recent one taken by the first read) and are checked for conflicts at
 * the commit unless `snapshot`. Every method that fails throws a `TransactionError`. After `commit` has ended it is used no more, except for `committedVersion`.
 */
export interface Transaction {
  /** Reads happen at this version; before any read. */
  setReadVersion(version: Version): void;
  get(key: Buffer, snapshot: boolean): Promise<Buffer | null>;
  range(range: ReadRange, snapshot: boolean): Promise<FoundRows>;
  /** The commit fails with 1020 if `key` was changed after the read version. */
  addReadConflictKey(key: Buffer): void;
  set(key: Buffer, value: Buffer): void;
  clear(key: Buffer): void;
  clearRange(from: Buffer, to: Buffer): void;
  commit(): Promise<void>;
  /**
   * The version at which the commit landed; after a commit that ended well and wrote something. Others may have landed at the same one, before and after
   * it in order: so what it checked is proved for the version before this one only, and what it wrote need not be there at this one.
   */
  committedVersion(): Version;
  /** Ends it, and frees what it holds, after a commit too; what is under way fails with 1025. */
  cancel(): void;
}

/** A cluster, open. */
export interface Database {
  /** For people: the cluster file. */
  readonly name: string;
  begin(): Transaction;
  /** Frees it; transactions have ended before. */
  close(): void;
}

/** An error with FoundationDB's own number. */
export class TransactionError extends Error {
  override readonly name = "TransactionError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
