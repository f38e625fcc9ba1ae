// Vere's META entries and epochs of a log: read by anyone, written under the claim.
import { shipBytes } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { afterPrefix, decodeRecord, type FileRecord, keyRest, keys, type LogName } from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { EVENT_ID_MAX, SCOPE_TOP } from "../wire/constants.ts";
import { SeguroError } from "../wire/errors.ts";
import { EPOCHS_MAX, META_SCOPE_BYTES_MAX } from "./limits.ts";
import type { Writer } from "./writer.ts";

export interface MetaEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface EpochFile {
  readonly base: bigint;
  readonly name: string;
  readonly record: FileRecord;
}

/** The value, or null when there is none; a zero-length value is a value. */
export async function getMeta(kv: Kv, name: LogName, scope: bigint, key: Buffer): Promise<Buffer | null> {
  return kv.get(keys.meta(name, scope, key));
}

/** All entries of a scope in key order. */
export async function listMeta(kv: Kv, name: LogName, scope: bigint): Promise<MetaEntry[]> {
  const prefix = keys.metas(name, scope);
  const rows = await kv.range(prefix, afterPrefix(prefix), { limitBytes: 2 * META_SCOPE_BYTES_MAX });
  if (rows.more) {
    throw new StoreError("store-damaged", "a scope holds more META than can have been written", "run `seguro verify`");
  }
  return [...eachRow(rows)].map((row) => ({
    key: Buffer.from(row.key.subarray(prefix.length)),
    value: Buffer.from(row.value),
  }));
}

/** Vere strips trailing zero bytes; `~zod` and "fake" are zero-length. */
function stripped(value: Buffer): Buffer {
  let end = value.length;
  while (end > 0 && value[end - 1] === 0) {
    end--;
  }
  return value.subarray(0, end);
}

/** Refuses a META that contradicts the ship the log belongs to: it would restore as another ship. */
function checkIdentity(name: LogName, entry: MetaEntry): void {
  const key = entry.key.toString("latin1");
  const expected =
    key === "who" ? shipBytes(name.ship.number) : key === "fake" ? Buffer.from([name.ship.kind === "fake" ? 0 : 1]) : entry.value;
  if (!stripped(entry.value).equals(stripped(expected))) {
    const text = `META "${key}" does not belong to ${name.ship.name} (${name.ship.kind})`;
    throw new SeguroError("meta-mismatch", text, "open the session for the ship (and kind, real or fake) that the pier is of");
  }
}

/** Stores one entry; resolves when it is durable. */
export async function putMeta(kv: Kv, writer: Writer, scope: bigint, entry: MetaEntry): Promise<void> {
  const { name } = writer.claim.log;
  checkIdentity(name, entry);
  if (scope !== SCOPE_TOP) {
    await requireEpoch(kv, name, scope);
  }
  const others = (await listMeta(kv, name, scope)).filter((other) => !other.key.equals(entry.key));
  const total = others.reduce((sum, other) => sum + other.key.length + other.value.length + 8, entry.value.length + entry.key.length + 8);
  if (total > META_SCOPE_BYTES_MAX) {
    throw new SeguroError("bad-meta", `the scope's META would be ${total} bytes`, `at most ${META_SCOPE_BYTES_MAX} in all`);
  }
  await writer.commitAside([{ kind: "put", key: keys.meta(name, scope, entry.key), value: [entry.value] }], total);
}

async function requireEpoch(kv: Kv, name: LogName, base: bigint): Promise<void> {
  if ((await kv.get(keys.vereEpoch(name, base))) === null) {
    throw new SeguroError("no-such-epoch", `epoch 0i${base} is not declared`, "declare it first (EPOCH_PUT)");
  }
}

/** Declares an epoch; saying it again changes nothing. */
export async function putEpoch(kv: Kv, writer: Writer, base: bigint): Promise<void> {
  const { name } = writer.claim.log;
  const key = keys.vereEpoch(name, base);
  if (base > EVENT_ID_MAX) {
    throw new SeguroError("bad-meta", `${base} is no base of an epoch`, "it is the id of the event before the epoch's first");
  }
  if ((await kv.get(key)) === null) {
    if ((await listEpochs(kv, name)).length >= EPOCHS_MAX) {
      throw new SeguroError("bad-meta", `the log has ${EPOCHS_MAX} epochs`, "no more can be declared");
    }
    await writer.commitAside([{ kind: "put", key, value: [Buffer.from("{}")] }], 64);
  }
}

/** The bases of all declared epochs, ascending. */
export async function listEpochs(kv: Kv, name: LogName): Promise<bigint[]> {
  const prefix = keys.epochs(name);
  const bases: bigint[] = [];
  let from = prefix;
  for (let more = true; more; ) {
    const rows = await kv.range(from, afterPrefix(prefix));
    for (const row of eachRow(rows)) {
      bases.push(keyRest(row.key).readBigUInt64BE(0));
      from = Buffer.concat([row.key, Buffer.from([0])]);
    }
    more = rows.more;
  }
  return bases;
}

export async function listFiles(kv: Kv, name: LogName): Promise<EpochFile[]> {
  const prefix = keys.files(name);
  const files: EpochFile[] = [];
  let from = prefix;
  for (let more = true; more; ) {
    const rows = await kv.range(from, afterPrefix(prefix));
    for (const row of eachRow(rows)) {
      const rest = keyRest(row.key);
      files.push({ base: rest.readBigUInt64BE(0), name: rest.toString("utf8", 8), record: decodeFile(row.value) });
      from = Buffer.concat([row.key, Buffer.from([0])]);
    }
    more = rows.more;
  }
  return files;
}

function decodeFile(value: Buffer): FileRecord {
  return decodeRecord<FileRecord>(value, "a file record", ["bytes", "crc32c", "pieces", "upload"]);
}

export async function getFile(kv: Kv, name: LogName, base: bigint, file: string): Promise<FileRecord | null> {
  const value = await kv.get(keys.file(name, base, file));
  return value === null ? null : decodeFile(value);
}
export { requireEpoch };
