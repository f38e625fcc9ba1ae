// Where everything lies in a store: the keys, and the small records that are JSON (docs/schema.md is the specification).
import { makeShip, type Ship, type ShipKind } from "../ship.ts";
import { StoreError } from "./errors.ts";
import type { Kv, Write } from "./kv.ts";
import { eachRow } from "./rows.ts";

/** The newest layout this code knows; a store with a greater number is refused. */
export const FORMAT = 2;
/** What a new store gets. The first ship that is moved raises it to 2: an older Seguro, which does not know such ships, would fork their logs. */
const FORMAT_WITHOUT_MOVES = 1;

const Space = { FORMAT: 0, SHIP: 1, EPOCH: 2, LOG: 3, BEAT: 4 } as const;
const What = {
  RECORD: "l",
  BLOCK: "b",
  DIGEST: "d",
  PIECE: "p",
  META: "m",
  EPOCH: "e",
  FILE: "f",
  UPLOAD: "u",
  FILE_PIECE: "g",
  CUT: "c",
} as const;
type What = (typeof What)[keyof typeof What];

const KIND_BYTE: Readonly<Record<ShipKind, number>> = { real: 1, fake: 2 };
const SHIP_KEY_BYTES = 18;
const LOG_KEY_BYTES = 23;

/** A ship's place in the directory of ships. */
export interface ShipRecord {
  /** The number of the log that sessions use; 0 when the last one was retired. */
  readonly currentLog: number;
  /** The number the next new log gets. */
  readonly nextLog: number;
  /** At most one of these names another store (src/log/moved). */
  readonly movingTo?: string;
  readonly movedTo?: string;
  readonly copiedTo?: string;
  readonly movingFrom?: string;
  /** Beside `movingFrom`: all of the ship's logs are here and were proven, and nobody has written since; the mark alone is left to be taken off. */
  readonly proven?: true;
}

/** Who may write a ship; replaced by every claim, checked by every commit. */
export interface EpochRecord {
  readonly epoch: number;
  /** The sidecar that claimed it: an id of its start; in a store that several processes share INSTANCE/START, under which its beat lies. */
  readonly writer: string;
  /** The session, for people. */
  readonly session: string;
  /** The session has ended and all of its commits with it: anybody may claim. Only in stores that several processes share. */
  readonly released?: true;
}

/** The sign of life of one process that writes in a shared store, under the writer's id. */
export interface BeatRecord {
  /** Counts up with every renewal. */
  readonly beat: number;
  /** For people. */
  readonly host: string;
  readonly pid: number;
  /** The boot of the machine, so that the same process numbers after a reboot, or on another machine, say nothing. */
  readonly boot: string;
  /** The locked state file (device and inode) that holds the instance's id; null for an instance that ends with its process. */
  readonly lock: string | null;
  /** For people. */
  readonly startedAt: string;
}

export interface LogRecord {
  /** "arriving": being copied from another store. */
  readonly state: "open" | "retired" | "forgetting" | "arriving";
}

/** A cut of the commit log may have taken events from this log. */
export interface CutRecord {
  /** The last event that is known to have been there, in decimal; "0" where nobody can know. */
  readonly lost: string;
}

/** The digest at a log's last event when a session that wrote it ended. */
export interface DigestRecord {
  /** u64, in decimal. */
  readonly id: string;
  /** In hexadecimal. */
  readonly digest: string;
  /** Of the id (u64, little-endian) and the digest. */
  readonly crc32c: number;
}

/** A file of one of Vere's epochs; its pieces lie under `upload`. */
export interface FileRecord {
  readonly bytes: number;
  readonly crc32c: number;
  readonly pieces: number;
  readonly upload: string;
}

export interface LogName {
  readonly ship: Ship;
  readonly log: number;
}

function shipKey(space: number, ship: Ship): Buffer {
  const key = Buffer.alloc(SHIP_KEY_BYTES);
  key.writeUInt8(space, 0);
  key.writeUInt8(KIND_BYTE[ship.kind], 1);
  key.writeBigUInt64BE(ship.number >> 64n, 2);
  key.writeBigUInt64BE(ship.number & 0xffffffffffffffffn, 10);
  return key;
}

function logKey(name: LogName, what: What): Buffer {
  const key = Buffer.alloc(LOG_KEY_BYTES);
  shipKey(Space.LOG, name.ship).copy(key);
  key.writeUInt32BE(name.log, SHIP_KEY_BYTES);
  key.write(what, SHIP_KEY_BYTES + 4, "latin1");
  return key;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Whether it is the key of a block of events. */
export function isBlockKey(key: Buffer): boolean {
  return (
    key.length === LOG_KEY_BYTES + 8 && key[0] === Space.LOG && key.toString("latin1", SHIP_KEY_BYTES + 4, LOG_KEY_BYTES) === What.BLOCK
  );
}

/** The first key that does not begin with `prefix`: the end of its range. */
export function afterPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at--) {
    const byte = end[at] ?? 0;
    if (byte < 0xff) {
      end[at] = byte + 1;
      return end.subarray(0, at + 1);
    }
  }
  throw new RangeError("a prefix of 0xff bytes has no end");
}

export const keys = {
  format: (): Buffer => Buffer.from([Space.FORMAT, ...Buffer.from("format")]),
  ships: (): Buffer => Buffer.from([Space.SHIP]),
  ship: (ship: Ship): Buffer => shipKey(Space.SHIP, ship),
  epoch: (ship: Ship): Buffer => shipKey(Space.EPOCH, ship),
  beat: (writer: string): Buffer => Buffer.concat([Buffer.from([Space.BEAT]), Buffer.from(writer)]),
  /** Everything of one log. */
  log: (name: LogName): Buffer => logKey(name, What.RECORD).subarray(0, LOG_KEY_BYTES - 1),
  /** Everything of all logs of a ship. */
  logs: (ship: Ship): Buffer => shipKey(Space.LOG, ship),
  logRecord: (name: LogName): Buffer => logKey(name, What.RECORD),
  /** The mark of a cut, by the first record of the commit log that was cut off. */
  cut: (name: LogName, record: bigint): Buffer => Buffer.concat([logKey(name, What.CUT), u64(record)]),
  cuts: (name: LogName): Buffer => logKey(name, What.CUT),
  digest: (name: LogName): Buffer => logKey(name, What.DIGEST),
  blocks: (name: LogName): Buffer => logKey(name, What.BLOCK),
  block: (name: LogName, firstId: bigint): Buffer => Buffer.concat([logKey(name, What.BLOCK), u64(firstId)]),
  pieces: (name: LogName): Buffer => logKey(name, What.PIECE),
  /** All staged pieces of units that begin at `firstId` or above. */
  piecesFrom: (name: LogName, firstId: bigint): Buffer => Buffer.concat([logKey(name, What.PIECE), u64(firstId)]),
  piece: (name: LogName, firstId: bigint, epoch: bigint, index: number): Buffer =>
    Buffer.concat([logKey(name, What.PIECE), u64(firstId), u64(epoch), u32(index)]),
  /** The META of all scopes. */
  allMetas: (name: LogName): Buffer => logKey(name, What.META),
  metas: (name: LogName, scope: bigint): Buffer => Buffer.concat([logKey(name, What.META), u64(scope)]),
  meta: (name: LogName, scope: bigint, key: Buffer): Buffer => Buffer.concat([logKey(name, What.META), u64(scope), key]),
  epochs: (name: LogName): Buffer => logKey(name, What.EPOCH),
  vereEpoch: (name: LogName, base: bigint): Buffer => Buffer.concat([logKey(name, What.EPOCH), u64(base)]),
  files: (name: LogName): Buffer => logKey(name, What.FILE),
  file: (name: LogName, base: bigint, file: string): Buffer => Buffer.concat([logKey(name, What.FILE), u64(base), Buffer.from(file)]),
  uploads: (name: LogName): Buffer => logKey(name, What.UPLOAD),
  upload: (name: LogName, base: bigint, upload: bigint): Buffer => Buffer.concat([logKey(name, What.UPLOAD), u64(base), u64(upload)]),
  allFilePieces: (name: LogName): Buffer => logKey(name, What.FILE_PIECE),
  filePieces: (name: LogName, base: bigint, upload: bigint): Buffer =>
    Buffer.concat([logKey(name, What.FILE_PIECE), u64(base), u64(upload)]),
  filePiece: (name: LogName, base: bigint, upload: bigint, index: number): Buffer =>
    Buffer.concat([logKey(name, What.FILE_PIECE), u64(base), u64(upload), u32(index)]),
};

/** The part of a key after its log and kind. */
export function keyRest(key: Buffer): Buffer {
  return key.subarray(LOG_KEY_BYTES);
}

/** The ship in a key of the ship directory. */
export function shipOfKey(key: Buffer): Ship {
  const kind: ShipKind = key.readUInt8(1) === KIND_BYTE.fake ? "fake" : "real";
  return makeShip((key.readBigUInt64BE(2) << 64n) | key.readBigUInt64BE(10), kind);
}

export function kindByte(kind: ShipKind): number {
  return KIND_BYTE[kind];
}

/** JSON with its keys in the order given: equal records are equal bytes, which checks compare. */
export function encodeRecord(record: ShipRecord | EpochRecord | LogRecord | CutRecord | DigestRecord | FileRecord | BeatRecord): Buffer {
  return Buffer.from(JSON.stringify(record));
}

/** Reads a small record. Its writer was this code (or a test of damage), so a wrong shape means damage. */
export function decodeRecord<T extends object>(value: Buffer, what: string, fields: readonly (keyof T & string)[]): T {
  try {
    const parsed: unknown = JSON.parse(value.toString("utf8"));
    if (typeof parsed === "object" && parsed !== null && fields.every((field) => field in parsed)) {
      return parsed as T;
    }
  } catch (cause) {
    throw new StoreError("store-damaged", `${what} is not JSON`, "run `seguro verify`; restore the store from a backup", cause);
  }
  throw new StoreError("store-damaged", `${what} lacks a field`, "run `seguro verify`; restore the store from a backup");
}

function encodeFormat(format: number): Buffer {
  return Buffer.from(JSON.stringify({ seguro: "store", format }));
}

/** Goes into the commit that first says of a ship that it is moved: from then on an older Seguro refuses the store. */
export function formatOfMoves(): Write {
  return { kind: "put", key: keys.format(), value: [encodeFormat(FORMAT)] };
}

/** The value of a new store's format record. */
export function newFormat(): Buffer {
  return encodeFormat(FORMAT_WITHOUT_MOVES);
}

/** Marks an empty store with its format, or refuses one that a newer Seguro wrote. */
export async function checkFormat(kv: Kv): Promise<void> {
  const stored = await kv.get(keys.format());
  if (stored === null) {
    const rows = await kv.range(Buffer.from([0]), Buffer.from([0xff]), { limitRows: 1 });
    for (const row of eachRow(rows)) {
      if (row.key.equals(keys.format())) {
        // Another process has marked the store since.
        return checkFormat(kv);
      }
      throw new StoreError("store-damaged", `${kv.name} has data but no format record`, "this is not a Seguro store, or it is damaged");
    }
    const value = newFormat();
    const writes = [{ kind: "put", key: keys.format(), value: [value] }] as const;
    const [outcome] = await kv.commit([{ checks: [{ key: keys.format(), value: null }], writes, witness: keys.format() }]);
    // Another process, perhaps of another version, marked the store at the same moment.
    return outcome === "check-failed" ? checkFormat(kv) : undefined;
  }
  const record = decodeRecord<{ format: number }>(stored, "the format record", ["format"]);
  if (record.format > FORMAT) {
    throw new StoreError("store-newer", `${kv.name} has format ${record.format}; this Seguro knows up to ${FORMAT}`, "update Seguro");
  }
}
