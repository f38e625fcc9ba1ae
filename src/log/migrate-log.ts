// One log on its way into another store: how far it is there already, its events, metadata and files, and the proof that all of it arrived.
import { crc32c } from "../native/checksum.ts";
import { recordBytes } from "../native/records.ts";
import { shipText } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv, Write } from "../store/kv.ts";
import { afterPrefix, keys, type LogName } from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { FILE_PIECE_BYTES } from "../wire/constants.ts";
import { digestAt } from "./digester.ts";
import { readFile, Upload } from "./files.ts";
import { Appender, type Hold } from "./hold.ts";
import type { Log } from "./log.ts";
import { type EpochFile, listFiles } from "./meta.ts";
import { MigrateError } from "./migrate-errors.ts";
import { type ReadItem, RecordReader } from "./reader.ts";
import { verifyLog } from "./verify.ts";
import type { Writer, WriterInput } from "./writer.ts";

export interface MigrateHooks {
  /** A part of the work begins; `total` events in all. */
  readonly phase: (phase: "copy" | "verify", name: LogName, total: bigint) => void;
  /** So many of them are done. */
  readonly at: (done: bigint) => void;
  /** Ends the work between two events, with its reason. */
  readonly signal: AbortSignal;
}

function logText({ ship, log }: LogName): string {
  return `log ${log} of ${shipText(ship)}`;
}

function differs(name: LogName, what: string): MigrateError {
  const hint = "these are two histories of one ship: find out which one the network knows; `seguro verify` checks each";
  return new MigrateError("migrate-differs", `${logText(name)}: ${what}. Nothing more was written`, hint);
}

/**
 * How a log that is in both stores relates: "behind" (the target holds its beginning, or all of it), or "ahead" (the target holds all of it, and
 * more). Told by digest. Throws `migrate-differs` when neither is the beginning of the other.
 */
export async function compareLogs(source: Kv, from: Log, target: Kv, to: Log): Promise<"behind" | "ahead"> {
  if (to.height === 0n) {
    return "behind";
  }
  if (from.height === 0n) {
    return "ahead";
  }
  if (from.base !== to.base) {
    throw differs(from.name, `it begins with event ${from.base} in ${source.name}, with event ${to.base} in ${target.name}`);
  }
  const ahead = to.height > from.height;
  const shared = ahead ? from.height : to.height;
  const [here, there] = await Promise.all([digestAt(source, from.name, from.base, shared), digestAt(target, to.name, to.base, shared)]);
  if (!here.digest.equals(there.digest)) {
    throw differs(from.name, `${source.name} and ${target.name} hold different events at or before event ${shared}`);
  }
  return ahead ? "ahead" : "behind";
}

/** From what a reader gives to what a writer takes: runs as they are, the pieces of a large event numbered. */
class Feed {
  #large: { readonly recordBytes: number; index: number } | null = null;

  next(item: ReadItem): WriterInput {
    const { bytes, count, lastId } = item;
    if (this.#large === null && count > 0) {
      return { kind: "run", run: { firstId: lastId - BigInt(count) + 1n, lastId, count, bytes } };
    }
    this.#large ??= { recordBytes: recordBytes(Number(bytes.readBigUInt64LE(0))), index: 0 };
    const last = count > 0;
    const piece = { id: last ? lastId : lastId + 1n, recordBytes: this.#large.recordBytes, index: this.#large.index++, bytes, last };
    if (last) {
      this.#large = null;
    }
    return { kind: "large", piece };
  }
}

async function copyEvents(source: Kv, from: Log, appender: Appender, signal: AbortSignal): Promise<void> {
  const first = appender.height === 0n ? from.base : appender.height + 1n;
  if (from.height === 0n || first > from.height) {
    return;
  }
  const feed = new Feed();
  const reader = new RecordReader(source, from.name, first, from.height);
  for (let item = await reader.next(); item !== null; item = await reader.next()) {
    signal.throwIfAborted();
    await appender.push(feed.next(item));
  }
  await appender.reached(from.height);
}

/** Makes a range of the target equal to the source's, where a log's keys are the same in every store. Gives the number of rows changed. */
async function mirrorRange(source: Kv, target: Hold, prefix: Buffer): Promise<number> {
  let changed = 0;
  const walk = async (kv: Kv, change: (row: { key: Buffer; value: Buffer }) => Promise<Write | null>): Promise<void> => {
    let from = prefix;
    for (let more = true; more; ) {
      const rows = await kv.range(from, afterPrefix(prefix));
      const writes: Write[] = [];
      for (const row of eachRow(rows)) {
        const write = await change(row);
        if (write !== null) {
          writes.push(write);
        }
        from = Buffer.concat([row.key, Buffer.from([0])]);
      }
      if (writes[0] !== undefined) {
        await target.commit(writes, writes[0].kind === "put" ? writes[0].key : undefined);
      }
      changed += writes.length;
      more = rows.more;
    }
  };
  await walk(source, async ({ key, value }) =>
    (await target.kv.get(key))?.equals(value) === true ? null : { kind: "put", key, value: [value] },
  );
  await walk(target.kv, async ({ key }) => ((await source.get(key)) === null ? { kind: "delete", key } : null));
  return changed;
}

async function copyFile(source: Kv, target: Kv, writer: Writer, file: EpochFile, serial: number): Promise<void> {
  const { name } = writer.claim.log;
  let upload: Upload | null = null;
  for (let offset = 0n, ended = false; !ended; offset += BigInt(FILE_PIECE_BYTES)) {
    const { totalBytes, data } = await readFile(source, name, file.base, file.name, offset, FILE_PIECE_BYTES);
    const piece = { base: file.base, name: file.name, offset, totalBytes, data };
    upload ??= await Upload.begin(target, writer, piece, serial);
    ended = await upload.add(piece);
  }
}

/** Files get new places: the number of an upload must stay the store's own. */
async function copyFiles(source: Kv, target: Hold, writer: Writer, signal: AbortSignal): Promise<number> {
  const { name } = writer.claim.log;
  const wanted = await listFiles(source, name);
  const present = await listFiles(target.kv, name);
  const same = (a: EpochFile, b: EpochFile): boolean => a.base === b.base && a.name === b.name;
  let serial = 0;
  for (const file of wanted) {
    signal.throwIfAborted();
    const old = present.find((other) => same(other, file));
    if (old === undefined || old.record.bytes !== file.record.bytes || old.record.crc32c !== file.record.crc32c) {
      await copyFile(source, target.kv, writer, file, ++serial);
    }
  }
  for (const extra of present.filter((other) => !wanted.some((file) => same(file, other)))) {
    const key = keys.file(name, extra.base, extra.name);
    const pieces = keys.filePieces(name, extra.base, BigInt(extra.record.upload));
    await target.commit([
      { kind: "delete", key },
      { kind: "delete-range", from: pieces, to: afterPrefix(pieces) },
    ]);
  }
  return serial;
}

/** What a copy wrote. */
export interface Copied {
  readonly events: bigint;
  /** Entries of Vere's metadata, epochs and files. */
  readonly extras: number;
}

/** Brings the target's log up to the source's, which must not change meanwhile; what the target has must be the beginning of it. */
export async function copyLog(source: Kv, from: Log, target: Hold, hooks: MigrateHooks): Promise<Copied> {
  const { name } = from;
  const done = (height: bigint): bigint => (height === 0n ? 0n : height - from.base + 1n);
  hooks.phase("copy", name, done(from.height));
  const appender = await Appender.open(target, name.log, (height) => hooks.at(done(height)));
  try {
    const before = appender.height;
    await copyEvents(source, from, appender, hooks.signal);
    const rows = (await mirrorRange(source, target, keys.epochs(name))) + (await mirrorRange(source, target, keys.allMetas(name)));
    const files = await copyFiles(source, target, appender.writer, hooks.signal);
    return { events: done(from.height) - done(before), extras: rows + files };
  } finally {
    await appender.close();
  }
}

async function checkFiles(source: Kv, target: Kv, name: LogName, signal: AbortSignal): Promise<void> {
  for (const file of await listFiles(source, name)) {
    let crc = 0;
    let lengthBytes = 0;
    for (let more = true; more; ) {
      signal.throwIfAborted();
      const { totalBytes, data } = await readFile(target, name, file.base, file.name, BigInt(lengthBytes), FILE_PIECE_BYTES);
      crc = crc32c(data, crc);
      lengthBytes += data.length;
      more = data.length > 0 && BigInt(lengthBytes) < totalBytes;
    }
    if (crc !== file.record.crc32c || lengthBytes !== file.record.bytes) {
      throw differs(name, `${file.name} of epoch 0i${file.base} is not in ${target.name} what it is in ${source.name}`);
    }
  }
}

/**
 * Reads the whole log back from the target and computes its digest from what is stored there; it must be the one that the source recorded when
 * the events were acknowledged. Gives it, in hexadecimal; "" for a log without events.
 */
export async function proveCopy(source: Kv, from: Log, target: Kv, to: Log, hooks: MigrateHooks): Promise<string> {
  const { name, base, height } = from;
  hooks.phase("verify", name, height === 0n ? 0n : height - base + 1n);
  const report = await verifyLog(target, to, (id) => {
    hooks.signal.throwIfAborted();
    hooks.at(id - base + 1n);
  });
  const damage = report.damage[0];
  if (damage !== undefined) {
    const hint = `give the migration up (--cancel), \`seguro forget\` log ${name.log} there, and migrate again`;
    throw new StoreError("store-damaged", `${logText(name)} in ${target.name}, event ${damage.id}: ${damage.text}`, hint);
  }
  if (report.events !== (height === 0n ? 0n : height - base + 1n)) {
    throw differs(name, `${target.name} holds ${report.events} events of it`);
  }
  await checkFiles(source, target, name, hooks.signal);
  if (height === 0n) {
    return "";
  }
  const expected = await digestAt(source, name, base, height);
  if (!expected.digest.equals(report.digest)) {
    throw differs(name, `its digest at event ${height} is not the same in ${source.name} and in ${target.name}`);
  }
  return report.digest.toString("hex");
}
