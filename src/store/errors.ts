// The errors of stores: few stable codes, a sentence, and a hint for the person who reads it.

export type StoreErrorCode =
  | "store-full"
  | "store-failed"
  | "store-damaged"
  | "store-readonly"
  | "store-locked"
  | "store-newer"
  | "store-older"
  | "store-closed"
  | "store-missing";

export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** What the reader can do about it. */
  readonly hint: string;

  constructor(code: StoreErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}
