// Why a ship is not moved to another store.

export type MigrateErrorCode =
  | "migrate-exists"
  | "migrate-differs"
  | "migrate-ahead"
  | "migrate-other"
  /** Not now, or not with these options. */
  | "migrate-refused";

/** Nothing was changed, or nothing that running the command again does not go on from. */
export class MigrateError extends Error {
  override readonly name = "MigrateError";
  readonly code: MigrateErrorCode;
  readonly hint: string;

  constructor(code: MigrateErrorCode, message: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}
