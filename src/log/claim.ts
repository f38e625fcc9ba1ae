// Claiming a ship: raise its epoch, then repair the tail of its log, then know its height (docs/schema.md, "Claim").
import { type Ship, shipText } from "../ship.ts";
import type { Check, Kv, Write } from "../store/kv.ts";
import {
  afterPrefix,
  decodeRecord,
  type EpochRecord,
  encodeRecord,
  keyRest,
  keys,
  type LogName,
  type LogRecord,
  type ShipRecord,
} from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { SeguroError } from "../wire/errors.ts";
import type { Committer } from "./committer.ts";
import { Log } from "./log.ts";
import { findTail } from "./tail.ts";

/** The right to write one ship's log, until somebody raises the epoch again. */
export interface Claim {
  readonly epoch: bigint;
  /** Must be part of every commit under this claim. */
  readonly check: Check;
  /** Makes the ship and its log known; part of the claim's first commit, so that a ship without an event leaves no trace. Empty for a log that exists. */
  readonly creation: readonly Write[];
  readonly log: Log;
}

export interface Owner {
  /** The sidecar's instance id. */
  readonly writer: string;
  /** The session, for people. */
  readonly session: string;
}

export async function readShip(kv: Kv, ship: Ship): Promise<ShipRecord | null> {
  const value = await kv.get(keys.ship(ship));
  return value === null ? null : decodeRecord<ShipRecord>(value, "a ship record", ["currentLog", "nextLog"]);
}

function put(key: Buffer, value: Buffer): Write {
  return { kind: "put", key, value: [value] };
}

/** Replaces the epoch record by the next one, or throws `ship-busy` when somebody else did so at the same moment. */
async function raiseEpoch(kv: Kv, committer: Committer, ship: Ship, owner: Owner): Promise<{ epoch: bigint; check: Check }> {
  const key = keys.epoch(ship);
  const before = await kv.get(key);
  const old = before === null ? null : decodeRecord<EpochRecord>(before, "an epoch record", ["epoch", "writer", "session"]);
  const epoch = (old?.epoch ?? 0) + 1;
  const value = encodeRecord({ epoch, writer: owner.writer, session: owner.session });
  const outcome = await committer.submit({ checks: [{ key, value: before }], writes: [put(key, value)] }, value.length);
  if (outcome === "check-failed") {
    throw new SeguroError("ship-busy", `${shipText(ship)} was claimed by another writer at the same moment`, "try again");
  }
  return { epoch: BigInt(epoch), check: { key, value } };
}

/** What a writer that died may have left: blocks beyond a gap, staged pieces without a manifest, half uploads. */
async function findLeftovers(kv: Kv, name: LogName, height: bigint, cutFrom: bigint | null): Promise<Write[]> {
  const writes: Write[] = [];
  const range = (from: Buffer, to: Buffer): void => {
    writes.push({ kind: "delete-range", from, to });
  };
  if (cutFrom !== null) {
    range(keys.block(name, cutFrom), afterPrefix(keys.blocks(name)));
  }
  const staged = keys.piecesFrom(name, height + 1n);
  const stagedEnd = afterPrefix(keys.pieces(name));
  if ((await kv.range(staged, stagedEnd, { limitRows: 1, limitBytes: 1 })).count > 0) {
    range(staged, stagedEnd);
  }
  const uploads = await kv.range(keys.uploads(name), afterPrefix(keys.uploads(name)));
  for (const row of eachRow(uploads)) {
    const rest = keyRest(row.key);
    const pieces = keys.filePieces(name, rest.readBigUInt64BE(0), rest.readBigUInt64BE(8));
    range(pieces, afterPrefix(pieces));
    writes.push({ kind: "delete", key: Buffer.from(row.key) });
  }
  return writes;
}

/**
 * Claims `ship` for one session. The epoch rises first, so that no commit of an earlier claim can land any more; only then is the tail read,
 * and repaired. Throws `ship-busy`, or the store's errors.
 */
export async function claimShip(kv: Kv, committer: Committer, ship: Ship, owner: Owner): Promise<Claim> {
  const { epoch, check } = await raiseEpoch(kv, committer, ship, owner);
  const record = (await readShip(kv, ship)) ?? { currentLog: 0, nextLog: 1 };
  if (record.currentLog === 0) {
    const name: LogName = { ship, log: record.nextLog };
    const logRecord: LogRecord = { state: "open" };
    const shipRecord: ShipRecord = { currentLog: name.log, nextLog: name.log + 1 };
    const creation = [put(keys.ship(ship), encodeRecord(shipRecord)), put(keys.logRecord(name), encodeRecord(logRecord))];
    return { epoch, check, creation, log: await recover(kv, committer, check, name) };
  }
  return { epoch, check, creation: [], log: await recover(kv, committer, check, { ship, log: record.currentLog }) };
}

/** Finds the log's end and removes what lies beyond it. A log that does not exist yet may have some too: a huge first event that broke off. */
async function recover(kv: Kv, committer: Committer, check: Check, name: LogName): Promise<Log> {
  const tail = await findTail(kv, name);
  const repairs = await findLeftovers(kv, name, tail.height, tail.cutFrom);
  if (repairs.length > 0 && (await committer.submit({ checks: [check], writes: repairs }, 0)) === "check-failed") {
    throw new SeguroError("ship-busy", `${shipText(name.ship)} was claimed by another writer at the same moment`, "try again");
  }
  return new Log(name, tail);
}
