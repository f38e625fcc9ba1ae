// The small records of one log: its state, and the digest that its last writer ended with (docs/schema.md, "Small records").
import { crc32c } from "../native/checksum.ts";
import type { Kv, Write } from "../store/kv.ts";
import { type DigestRecord, decodeRecord, encodeRecord, keys, type LogName, type LogRecord } from "../store/layout.ts";
import type { Pair } from "./block.ts";
import { logDamaged } from "./errors.ts";

/** A log's state, or null when there is none. */
export async function readState(kv: Kv, name: LogName): Promise<LogRecord["state"] | null> {
  const value = await kv.get(keys.logRecord(name));
  return value === null ? null : decodeRecord<LogRecord>(value, "a log record", ["state"]).state;
}

/** Nothing else would notice a changed bit of the digest before the next verification. */
function checksumOf({ id, digest }: Pair): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(id);
  return crc32c(Buffer.concat([bytes, digest]));
}

/**
 * The pair that was written when a session ended in order, or null: then its event had been acknowledged, and is the log's for ever. It need not
 * be the newest, nor be there: a process that dies writes none, and earlier versions did not either.
 */
export async function readDigest(kv: Kv, name: LogName): Promise<Pair | null> {
  const value = await kv.get(keys.digest(name));
  if (value === null) {
    return null;
  }
  const { id, digest, crc32c: stored } = decodeRecord<DigestRecord>(value, "a digest record", ["id", "digest", "crc32c"]);
  const pair = /^\d{1,20}$/.test(id) ? { id: BigInt.asUintN(64, BigInt(id)), digest: Buffer.from(digest, "hex") } : null;
  if (pair === null || checksumOf(pair) !== stored) {
    throw logDamaged(name, "its digest record fails its checksum");
  }
  return pair;
}

export function digestWrite(name: LogName, pair: Pair): Write & { readonly kind: "put" } {
  const value = encodeRecord({ id: String(pair.id), digest: pair.digest.toString("hex"), crc32c: checksumOf(pair) });
  return { kind: "put", key: keys.digest(name), value: [value] };
}
