// Every error a session can end or be answered with: number, name, and whether it is fatal or worth a retry (docs/protocol.md, "Errors").
import { ERROR_FATAL, ERROR_RETRY } from "./constants.ts";

const FATAL = ERROR_FATAL;
const RETRY = ERROR_FATAL | ERROR_RETRY;

export const ERRORS = {
  "bad-frame": { code: 1, flags: FATAL },
  "bad-type": { code: 2, flags: FATAL },
  "not-open": { code: 3, flags: FATAL },
  "already-open": { code: 4, flags: FATAL },
  "bad-role": { code: 5, flags: 0 },
  "bad-open": { code: 6, flags: FATAL },
  "ship-busy": { code: 10, flags: RETRY },
  "claim-settling": { code: 11, flags: RETRY },
  fenced: { code: 12, flags: FATAL },
  "no-such-ship": { code: 13, flags: FATAL },
  "ambiguous-ship": { code: 14, flags: FATAL },
  "no-such-log": { code: 15, flags: FATAL },
  forbidden: { code: 16, flags: FATAL },
  "ship-moved": { code: 17, flags: FATAL },
  "bad-record": { code: 20, flags: FATAL },
  "append-gap": { code: 21, flags: FATAL },
  "append-conflict": { code: 22, flags: FATAL },
  "bad-batch": { code: 23, flags: FATAL },
  "batch-straddles": { code: 24, flags: FATAL },
  "event-too-large": { code: 25, flags: FATAL },
  "batch-too-large": { code: 26, flags: FATAL },
  "bad-id": { code: 27, flags: FATAL },
  "store-full": { code: 30, flags: RETRY },
  "store-failed": { code: 31, flags: RETRY },
  "store-damaged": { code: 32, flags: FATAL },
  "store-readonly": { code: 33, flags: FATAL },
  stopping: { code: 34, flags: RETRY },
  "bad-read": { code: 40, flags: 0 },
  "too-many-reads": { code: 41, flags: 0 },
  "no-such-event": { code: 42, flags: 0 },
  "bad-meta": { code: 43, flags: 0 },
  "meta-mismatch": { code: 44, flags: 0 },
  "bad-file": { code: 45, flags: 0 },
  "no-such-file": { code: 46, flags: 0 },
  "no-such-epoch": { code: 47, flags: 0 },
  "trim-unsupported": { code: 50, flags: 0 },
  "bad-admin": { code: 51, flags: 0 },
  "not-retired": { code: 52, flags: 0 },
  "not-confirmed": { code: 53, flags: 0 },
  "client-stalled": { code: 60, flags: FATAL },
  "handshake-timeout": { code: 61, flags: FATAL },
  "too-many-sessions": { code: 62, flags: RETRY },
  "bad-ring": { code: 63, flags: FATAL },
  internal: { code: 99, flags: FATAL },
} as const;

export type ErrorName = keyof typeof ERRORS;

/** The name that a number stands for; numbers that nobody knows are `internal`. */
export function errorNameOf(code: number): ErrorName {
  return (Object.keys(ERRORS) as ErrorName[]).find((name) => ERRORS[name].code === code) ?? "internal";
}

/** A refusal with a stable name, a sentence and a hint; it never holds event bytes. */
export class SeguroError extends Error {
  override readonly name = "SeguroError";
  readonly code: ErrorName;
  readonly hint: string;
  /** The event concerned, or 0. */
  readonly id: bigint;

  constructor(code: ErrorName, message: string, hint: string, options: { id?: bigint; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = hint;
    this.id = options.id ?? 0n;
  }

  get fatal(): boolean {
    return (ERRORS[this.code].flags & ERROR_FATAL) !== 0;
  }

  get retry(): boolean {
    return (ERRORS[this.code].flags & ERROR_RETRY) !== 0;
  }
}
