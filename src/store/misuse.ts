// What every engine refuses before it looks: keys and values that the interface does not allow are a caller's fault, not the store's.
import { constants } from "node:buffer";
import type { Commit, KvLimits, RangeOptions, Write } from "./kv.ts";

/** Greatest length of a key. */
const maxKeyBytes = 300;
const defaultLimitBytes = 1024 * 1024;

/** Throws a RangeError unless `key` has 1 to 300 bytes. */
export function requireKey(key: Buffer): void {
  if (key.length < 1 || key.length > maxKeyBytes) throw new RangeError(`a key has 1 to ${maxKeyBytes} bytes, not ${key.length}`);
}

/** Throws a RangeError unless both bounds have at most 300 bytes; an empty `from` lies before every key. */
export function requireBounds(from: Buffer, to: Buffer): void {
  if (from.length > maxKeyBytes || to.length > maxKeyBytes) throw new RangeError(`a bound of a range has at most ${maxKeyBytes} bytes`);
}

/** The options of a range read with their defaults. */
export function rangeOptions(options: RangeOptions = {}): Required<Omit<RangeOptions, "into">> {
  const { limitRows = Number.MAX_SAFE_INTEGER, limitBytes = defaultLimitBytes, reverse = false } = options;
  if (!Number.isSafeInteger(limitRows) || limitRows < 1) throw new RangeError(`limitRows must be a whole number above 0, not ${limitRows}`);
  if (!Number.isSafeInteger(limitBytes) || limitBytes < 0) throw new RangeError(`limitBytes must be a whole number, not ${limitBytes}`);
  return { limitRows, limitBytes: Math.min(limitBytes, constants.MAX_LENGTH), reverse };
}

/** The bytes of a put's value. */
function pieceBytes(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}

function requireWrite(write: Write, limits: KvLimits): void {
  if (write.kind === "delete-range") {
    requireBounds(write.from, write.to);
    return;
  }
  requireKey(write.key);
  if (write.kind === "delete") return;
  const bytes = pieceBytes(write.value);
  if (bytes > limits.valueBytes) throw new RangeError(`a value has at most ${limits.valueBytes} bytes here, not ${bytes}`);
}

/** Throws a RangeError if a key or value of the group is not allowed. */
export function requireGroup(group: readonly Commit[], limits: KvLimits): void {
  for (const member of group) {
    for (const check of member.checks) requireKey(check.key);
    for (const write of member.writes) requireWrite(write, limits);
  }
}
