// What can go wrong between a client and the sidecar before, and apart from, the protocol's own errors.

export type ConnectionErrorCode = "cannot-connect" | "not-a-sidecar" | "turned-away" | "connection-lost" | "connection-closed";

/** The connection could not be made or is gone. The protocol's refusals are `SeguroError`s (wire/errors.ts). */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: ConnectionErrorCode;
  /** What the reader can do about it. */
  readonly hint: string;

  constructor(code: ConnectionErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}
