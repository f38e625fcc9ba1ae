// Stores for the tests of migration: ships with everything that a log can hold, and what of it must be the same in another store.
import { createHash } from "node:crypto";
import type { Test } from "tap";
import { readFile, Upload } from "../../src/log/files.ts";
import type { Logs } from "../../src/log/logs.ts";
import { listEpochs, listFiles, listMeta, putEpoch, putMeta } from "../../src/log/meta.ts";
import { type MigratedShip, type MigrateOptions, migrateShip } from "../../src/log/migrate.ts";
import { RecordReader } from "../../src/log/reader.ts";
import { verifyLog } from "../../src/log/verify.ts";
import type { Writer } from "../../src/log/writer.ts";
import type { Ship } from "../../src/ship.ts";
import { StoreError } from "../../src/store/errors.ts";
import { keys } from "../../src/store/layout.ts";
import { FILE_PIECE_BYTES, SCOPE_TOP } from "../../src/wire/constants.ts";
import { FaultyKv } from "./faulty-kv.ts";
import { openLogs, Probe, zod } from "./probe.ts";

/** A store in memory with a name of its own. */
export class NamedKv extends FaultyKv {
  override readonly name: string;

  constructor(name: string, inner?: FaultyKv) {
    super(...(inner === undefined ? [] : [inner.inner]));
    this.name = name;
  }
}

const defer = (run: () => void): void => void setImmediate(run);

export async function migrate(
  from: FaultyKv,
  to: FaultyKv,
  options: Partial<MigrateOptions> & { ship?: Ship } = {},
): Promise<MigratedShip> {
  const { ship = zod, ...rest } = options;
  const [source, target] = [await openLogs(from), await openLogs(to)];
  const nothing = (): void => undefined;
  const all = { copy: false, log: 0, defer, phase: nothing, at: nothing, signal: new AbortController().signal, ...rest };
  return migrateShip(source, target, ship, all);
}

/** Both stores die at the n-th commit of a migration: before it is applied, or after. False when it ended before. */
export async function crashAt(t: Test, commit: number, applied: boolean, moved: { from: NamedKv; to: NamedKv }): Promise<boolean> {
  let count = 0;
  const died = new StoreError("store-failed", "the machine stopped", "");
  const stores = [moved.from, moved.to].map((kv) => {
    const dying = new NamedKv(kv.name, kv);
    dying.fate = () => {
      count++;
      return count < commit ? "done" : { error: died, applied: applied && count === commit };
    };
    dying.onRead = () => {
      if (count >= commit) throw died;
    };
    return dying;
  });
  const [from, to] = stores as [NamedKv, NamedKv];
  try {
    await migrate(from, to);
    return false;
  } catch (error) {
    t.match(error, { message: /the machine stopped/ }, `commit ${commit}, ${applied ? "applied" : "lost"}`);
    return true;
  }
}

export function events(from: bigint, count: number, lengthBytes = 200): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.alloc(lengthBytes, `event ${from + BigInt(index)};`));
}

/** Appends, waits, and ends the session. */
export async function append(logs: Logs, from: bigint, payloads: readonly Buffer[], ship: Ship = zod): Promise<void> {
  const probe = await Probe.claim(logs, ship);
  probe.push(from, payloads);
  const failed = await probe.acknowledged(from + BigInt(payloads.length) - 1n);
  await probe.release();
  if (failed !== null) {
    throw failed;
  }
}

async function upload(kv: FaultyKv, writer: Writer, base: bigint, name: string, bytes: Buffer, serial: number): Promise<void> {
  let offset = 0;
  let current: Upload | null = null;
  do {
    const data = bytes.subarray(offset, offset + FILE_PIECE_BYTES);
    const piece = { base, name, offset: BigInt(offset), totalBytes: BigInt(bytes.length), data };
    current ??= await Upload.begin(kv, writer, piece, serial);
    await current.add(piece);
    offset += FILE_PIECE_BYTES;
  } while (offset < bytes.length);
}

/** Epochs 0i0 and 0i5 with META and files, one of several pieces and one empty. */
async function putExtras(kv: FaultyKv, probe: Probe, salt: string): Promise<void> {
  const { writer } = probe;
  for (const [index, base] of [0n, 5n].entries()) {
    await putEpoch(kv, writer, base);
    await putMeta(kv, writer, base, { key: Buffer.from("life"), value: Buffer.from(`${salt} ${base}`) });
    await upload(kv, writer, base, "epoc.txt", Buffer.from(salt), 3 * index + 1);
    await upload(kv, writer, base, "north.bin", Buffer.alloc(2 * FILE_PIECE_BYTES + 7, `${salt} north ${base}`), 3 * index + 2);
    await upload(kv, writer, base, "south.bin", Buffer.alloc(0), 3 * index + 3);
  }
  await putMeta(kv, writer, SCOPE_TOP, { key: Buffer.from("version"), value: Buffer.from([3]) });
  await putMeta(kv, writer, SCOPE_TOP, { key: Buffer.from("empty"), value: Buffer.alloc(0) });
}

/** ~zod with a retired log and a current one; `huge` adds an event and an atomic batch that are staged. */
export async function makeShip(kv: FaultyKv, huge = false): Promise<void> {
  const logs = await openLogs(kv);
  let probe = await Probe.claim(logs);
  probe.push(1n, events(1n, 12));
  await probe.acknowledged(12n);
  await putExtras(kv, probe, "first");
  await probe.release();
  await logs.retire(zod);
  probe = await Probe.claim(logs);
  probe.push(3n, events(3n, 10));
  if (huge) {
    probe.push(13n, [Buffer.alloc(9 << 20, "a huge event;")]);
    probe.pushAtomic(14n, events(14n, 60, 100_000));
    probe.push(74n, events(74n, 3));
  } else {
    probe.push(13n, events(13n, 64));
  }
  await probe.acknowledged(76n);
  await putExtras(kv, probe, "second");
  await probe.release();
}

/** Everything of a log that a move must not change. */
async function contentOf(kv: FaultyKv, logs: Logs, ship: Ship, number: number): Promise<object> {
  const { log, done } = await logs.read(ship, number);
  const { name, base, height } = log;
  const hash = createHash("sha256");
  if (height > 0n) {
    const reader = new RecordReader(kv, name, base, height);
    for (let item = await reader.next(); item !== null; item = await reader.next()) {
      hash.update(item.bytes);
    }
  }
  const report = await verifyLog(kv, log, () => undefined);
  done();
  const epochs = await listEpochs(kv, name);
  const metas = await Promise.all([SCOPE_TOP, ...epochs].map((scope) => listMeta(kv, name, scope)));
  const files: string[] = [];
  for (const file of await listFiles(kv, name)) {
    const sum = createHash("sha256");
    for (let offset = 0n; offset < BigInt(file.record.bytes); offset += BigInt(FILE_PIECE_BYTES)) {
      sum.update((await readFile(kv, name, file.base, file.name, offset, FILE_PIECE_BYTES)).data);
    }
    files.push(`${file.base} ${file.name} ${file.record.bytes} ${sum.digest("hex")}`);
  }
  const digest = report.digest.toString("hex");
  return { base, height, records: hash.digest("hex"), damage: report.damage, digest, epochs, metas, files };
}

/** All logs of a ship with what they hold, by number; `states` as they are. */
export async function shipContent(kv: FaultyKv, ship: Ship = zod): Promise<{ currentLog: number; logs: object[] }> {
  const logs = await openLogs(kv);
  const summary = await logs.summary(ship);
  const found: object[] = [];
  for (const { log, state } of summary.logs) {
    found.push({ log, state, ...(await contentOf(kv, logs, ship, log)) });
  }
  return { currentLog: summary.currentLog, logs: found };
}

/** Whether a session may write the ship that is there; a claim that is given is ended at once. */
export async function writable(kv: FaultyKv, ship: Ship = zod): Promise<boolean> {
  const logs = await openLogs(kv);
  if ((await kv.get(keys.ship(ship))) === null) {
    return false;
  }
  try {
    await (await Probe.claim(logs, ship)).release();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "ship-moved") {
      throw error;
    }
    return false;
  }
}
