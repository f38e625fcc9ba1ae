// What a failed command says and which exit code it ends with (docs/cli.md, "Exit codes").
import { CommanderError } from "commander";
import { ConnectionError } from "../client/errors.ts";
import { ConfigError } from "../operate/config-error.ts";
import { StoreError } from "../store/errors.ts";
import { SeguroError } from "../wire/errors.ts";

export const Exit = {
  OK: 0,
  FAILED: 1,
  USAGE: 2,
  CANNOT_CONNECT: 3,
  REFUSED: 4,
  DAMAGE: 5,
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** What happened, what to do about it, and how the command ends. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly exitCode: ExitCode;
}

/** A failure found by the command itself. */
export class CliError extends Error implements Failure {
  override readonly name = "CliError";
  readonly code: string;
  readonly hint: string;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, hint: string, exitCode: ExitCode = Exit.FAILED) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** A wrong argument or option. */
export function usageError(message: string, hint: string): CliError {
  return new CliError("usage", message, hint, Exit.USAGE);
}

/** Codes of any error in the project that mean something other than "failed". */
const EXIT_BY_CODE: Readonly<Record<string, ExitCode>> = {
  "cannot-connect": Exit.CANNOT_CONNECT,
  "not-a-sidecar": Exit.CANNOT_CONNECT,
  "turned-away": Exit.REFUSED,
  "store-damaged": Exit.DAMAGE,
  "store-locked": Exit.REFUSED,
  "socket-in-use": Exit.REFUSED,
  "store-failed": Exit.FAILED,
  "store-full": Exit.FAILED,
  "pier-damaged": Exit.DAMAGE,
  "pier-gap": Exit.DAMAGE,
  "migrate-exists": Exit.REFUSED,
  "migrate-differs": Exit.REFUSED,
  "migrate-ahead": Exit.REFUSED,
  "migrate-other": Exit.REFUSED,
  "migrate-refused": Exit.REFUSED,
  internal: Exit.FAILED,
};

function stringField(error: object, name: string): string | null {
  const value = (error as Readonly<Record<string, unknown>>)[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function exitCodeOf(error: Error, code: string): ExitCode {
  const fallback = error instanceof SeguroError ? Exit.REFUSED : Exit.FAILED;
  return EXIT_BY_CODE[code] ?? fallback;
}

/** Turns anything thrown into what is shown. Errors with a code and a hint (every room's own) keep them. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliError) {
    return error;
  }
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, "");
    return { code: "usage", message, hint: "`seguro --help` and `seguro VERB --help` list what there is", exitCode: Exit.USAGE };
  }
  if (error instanceof ConfigError) {
    return { code: "config", message: error.message, hint: error.hint, exitCode: Exit.USAGE };
  }
  if (!(error instanceof Error)) {
    return { code: "failed", message: String(error), hint: "", exitCode: Exit.FAILED };
  }
  const code = stringField(error, "code") ?? "failed";
  const known = error instanceof SeguroError || error instanceof ConnectionError || error instanceof StoreError;
  const hint = stringField(error, "hint") ?? (known ? "" : systemHint(code));
  return { code, message: error.message, hint, exitCode: exitCodeOf(error, code) };
}

function systemHint(code: string): string {
  const hints: Readonly<Record<string, string>> = {
    EACCES: "this user may not do that; run the command as the folder's owner",
    EPERM: "this user may not do that; run the command as the folder's owner",
    ENOSPC: "make room on the disk, then run the command again",
    EROFS: "the file system is mounted read-only",
    ENOENT: "check the path",
  };
  return hints[code] ?? "";
}
