// How everything about piers fails: one class with a stable code, a sentence and a hint. Never with event bytes.

/**
 * Stable names of what can be wrong with a pier:
 *
 * - `pier-missing`: nothing there, or not a pier
 * - `pier-damaged`: a file is cut, overwritten or lost in part
 * - `pier-zero-page`: an event holds a page of zeros, as a lost page does; can be accepted explicitly
 * - `pier-gap`: events are missing between two others
 * - `pier-overlap`: two epochs hold the same event ids
 * - `pier-range`: an event outside the log was asked for
 * - `pier-unsupported`: a format that this version does not read
 * - `pier-busy`: a live pier changed faster than it could be read
 * - `pier-permission`: the user may not read or write it
 * - `pier-io`: the operating system refused for another reason
 * - `pier-exists`: the folder to write to is there and not empty
 * - `pier-full`: no room on the disk
 * - `pier-bad-record`, `pier-bad-meta`, `pier-bad-file`: what was given for writing is wrong
 * - `pier-closed`: used after it was closed, finished or had failed
 * - `pier-reader-failed`: the child process that read the pier ended without a result
 * - `pier-internal`: a check inside Seguro failed
 */
export type PierErrorCode =
  | "pier-missing"
  | "pier-damaged"
  | "pier-zero-page"
  | "pier-gap"
  | "pier-overlap"
  | "pier-range"
  | "pier-unsupported"
  | "pier-busy"
  | "pier-permission"
  | "pier-io"
  | "pier-exists"
  | "pier-full"
  | "pier-bad-record"
  | "pier-bad-meta"
  | "pier-bad-file"
  | "pier-closed"
  | "pier-reader-failed"
  | "pier-internal";

/** A failure with a pier: `code` for programs, `message` and `hint` for people. */
export class PierError extends Error {
  readonly code: PierErrorCode;
  /** What to do about it; empty when there is nothing to say. */
  readonly hint: string;

  constructor(code: PierErrorCode, message: string, hint = "", options?: ErrorOptions) {
    super(message, options);
    this.name = "PierError";
    this.code = code;
    this.hint = hint;
  }
}

const systemCodes: Record<string, PierErrorCode> = {
  ENOENT: "pier-missing",
  ENOTDIR: "pier-missing",
  EACCES: "pier-permission",
  EPERM: "pier-permission",
  EROFS: "pier-permission",
  ENOSPC: "pier-full",
  EDQUOT: "pier-full",
  EFBIG: "pier-full",
  EIO: "pier-damaged",
  ENOTEMPTY: "pier-exists",
  EEXIST: "pier-exists",
};

const systemHints: Partial<Record<PierErrorCode, string>> = {
  "pier-missing": "check the path",
  "pier-permission": "run as the user that owns the pier",
  "pier-full": "make room on that disk and try again",
};

/** Any thrown value as a `PierError`: native faults and failed system calls get their codes, others pass as `pier-internal`. */
export function toPierError(thrown: unknown): PierError {
  if (thrown instanceof PierError) {
    return thrown;
  }
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code.startsWith("pier-")) {
    const hint = "hint" in error && typeof error.hint === "string" ? error.hint : "";
    return new PierError(code as PierErrorCode, error.message, hint, { cause: error });
  }
  const known = systemCodes[code] ?? (/^E[A-Z0-9]+$/.test(code) ? "pier-io" : "pier-internal");
  return new PierError(known, error.message, systemHints[known] ?? "", { cause: error });
}

/** Runs `work` and turns whatever it throws into a `PierError`. */
export async function asPierError<T>(work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toPierError(error);
  }
}
