// From the store's errors to what a session is told.
import { StoreError, type StoreErrorCode } from "../store/errors.ts";
import type { LogName } from "../store/layout.ts";
import { type ErrorName, SeguroError } from "../wire/errors.ts";

const NAMES: Readonly<Record<StoreErrorCode, ErrorName>> = {
  "store-full": "store-full",
  "store-failed": "store-failed",
  "store-damaged": "store-damaged",
  "store-readonly": "store-readonly",
  "store-locked": "store-failed",
  "store-newer": "store-damaged",
  "store-older": "store-damaged",
  "store-closed": "stopping",
  "store-missing": "store-failed",
};

/** Something of a log that was acknowledged is missing, or was changed. */
export function logDamaged({ ship, log }: LogName, reason: string): StoreError {
  const hint = `nothing was cut; \`seguro verify ${ship.name}\` says how far it is whole; restore the store from a backup`;
  return new StoreError("store-damaged", `log ${log} of ${ship.name} is damaged: ${reason}`, hint);
}

/** A SeguroError as it is, a StoreError translated, anything else as `internal`. */
export function asSeguroError(error: unknown): SeguroError {
  if (error instanceof SeguroError) {
    return error;
  }
  if (error instanceof StoreError) {
    return new SeguroError(NAMES[error.code], error.message, error.hint, { cause: error });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new SeguroError("internal", text, "please report this with the sidecar's log", { cause: error });
}
