// What FoundationDB's error numbers mean for a call: try again, find out, or give up.
import { StoreError } from "../errors.ts";
import { TransactionError } from "./transactions.ts";

/**
 * `retry`: nothing was done, and the same may go well next time. `unknown`: a commit took effect, or did not, or still may. `full`: no room.
 * `closed`: this client cancelled it. `final`: trying again is of no use.
 */
export type Outcome = "retry" | "unknown" | "full" | "closed" | "final";

const TOO_OLD = 1007;
export const NOT_COMMITTED = 1020;

const RETRY: Readonly<Record<number, string>> = {
  [TOO_OLD]: "the transaction is too old",
  1009: "a storage server lags behind",
  [NOT_COMMITTED]: "a conflict with another transaction",
  1037: "a storage server is behind",
  1038: "the database is locked",
  1042: "a proxy has no memory left",
  1051: "transactions are throttled",
  1078: "a proxy has no memory left",
  1213: "transactions are throttled",
  1223: "transactions are throttled",
};

const UNKNOWN: Readonly<Record<number, string>> = {
  1021: "the cluster lost the answer to a commit",
  1022: "the cluster lost the answer to a commit",
  1031: "a transaction timed out",
  1039: "the cluster changed its version",
};

const CANCELLED = new Set([1025, 1101]);
const QUOTA = 1225;

const isReported = (code: number): boolean => code >= 1000 && code < 1500;

/**
 * What an error means. An error that is none of the known ones and came from a commit (1000 to 1499: something went wrong on the way, not in
 * what was asked) leaves its outcome unknown: that is for reading to find out.
 */
export function outcomeOf(code: number, during: "read" | "commit"): Outcome {
  if (code in RETRY) return "retry";
  if (code === QUOTA) return "full";
  if (during === "read") return CANCELLED.has(code) ? "closed" : code in UNKNOWN ? "retry" : "final";
  return isReported(code) ? "unknown" : "final";
}

/** The transaction's version is no longer readable. */
export function isTooOld(error: unknown): boolean {
  return error instanceof TransactionError && error.code === TOO_OLD;
}

/** An error number in words, for a person who waits. */
export function reasonOf(code: number): string {
  return `${RETRY[code] ?? UNKNOWN[code] ?? "FoundationDB reports an error"} (${code})`;
}

/** What the cluster file says is not usable, or it cannot be read. */
const CLUSTER_FILE = new Set([1511, 1513, 1515, 2104]);

const hints = {
  "store-full": "Raise the quota, or make room in the cluster.",
  "store-failed": "Look at the cluster with `fdbcli --exec status`; docs/foundationdb.md says what its errors mean.",
  "store-damaged": "Do not write to it. Look at the cluster's disks, then restore from a backup or another copy of the log.",
  "store-newer": "Install a newer Seguro: this one does not know how the value was written.",
  "store-closed": "Open it again.",
  "store-missing": "Copy the cluster's own file, usually /etc/foundationdb/fdb.cluster, from one of its machines.",
} as const;

/** What a call ends with when trying again is of no use. */
export function finalError(name: string, error: TransactionError): StoreError {
  const failure = error.code === QUOTA ? "store-full" : CLUSTER_FILE.has(error.code) ? "store-missing" : "store-failed";
  return foundationError(failure, `${name}: ${error.message} (${error.code})`, error);
}

/** A StoreError with the hint for its code. */
export function foundationError(code: keyof typeof hints, message: string, cause?: unknown): StoreError {
  return new StoreError(code, message, hints[code], cause);
}
