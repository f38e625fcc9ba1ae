// Claiming a ship: raise its epoch, then repair the tail of its log, then know its height (docs/schema.md, "Claim").
import { type Ship, shipText } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
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
import type { Clock } from "./clock.ts";
import type { Committer } from "./committer.ts";
import { Log } from "./log.ts";
import { requireHere } from "./moved.ts";
import { decodeEpoch, type Succession } from "./succession.ts";
import { findTail } from "./tail.ts";

/** The right to change what a store has of one ship, until somebody raises the epoch again. */
export interface Grant {
  readonly epoch: bigint;
  /** Must be part of every commit under this claim. */
  readonly check: Check;
  readonly owner: Owner;
}

/** The right to write one ship's log. */
export interface Claim extends Grant {
  /** Makes the ship and its log known; part of the claim's first commit, so that a ship without an event leaves no trace. Empty for a log that exists. */
  readonly creation: readonly Write[];
  readonly log: Log;
}

export interface Owner {
  /** The sidecar's id. */
  readonly writer: string;
  /** The session, for people. */
  readonly session: string;
  /** Moves, retires or frees logs, and may therefore claim a ship that lives in another store. */
  readonly manages?: boolean;
}

/**
 * How often a claim tries to repair the tail while the store loses its answers: more often than bad luck alone explains. A store that is only slow
 * does not come near it: the engine waits for as long as it takes, and of a repair that landed nothing is left to repair. So a try counts only when its
 * commit was lost and the next one, which raises the epoch, was not; for that reason no pause is needed either. An error that lasts ends them.
 */
const RECOVERIES_MAX = 20;
/** How long a claim that could not be released waits for room. */
const RELEASE_AGAIN_MS = 2_000;

export async function readShip(kv: Kv, ship: Ship): Promise<ShipRecord | null> {
  const value = await kv.get(keys.ship(ship));
  return value === null ? null : decodeRecord<ShipRecord>(value, "a ship record", ["currentLog", "nextLog"]);
}

function put(key: Buffer, value: Buffer): Write {
  return { kind: "put", key, value: [value] };
}

interface Raised {
  readonly epoch: bigint;
  readonly check: Check;
  /** Whose claim it was, if it was anybody's. */
  readonly from: EpochRecord | null;
}

/** Somebody else has claimed since this claim began. */
export function sameMoment(ship: Ship): SeguroError {
  return new SeguroError("ship-busy", `${shipText(ship)} was claimed by another writer at the same moment`, "try again");
}

/** The epoch record that follows `before`. */
function nextEpoch(before: Buffer | null, owner: Owner, released: boolean): { epoch: number; value: Buffer; from: EpochRecord | null } {
  const from = before === null ? null : decodeEpoch(before);
  const epoch = (from?.epoch ?? 0) + 1;
  const value = encodeRecord({ epoch, writer: owner.writer, session: owner.session, ...(released && { released: true }) });
  return { epoch, value, from };
}

/** Replaces the epoch record `before` by the next one, or throws `ship-busy` when somebody else did so at the same moment. */
async function replaceEpoch(committer: Committer, ship: Ship, before: Buffer | null, owner: Owner, released: boolean): Promise<Raised> {
  const key = keys.epoch(ship);
  const { epoch, value, from } = nextEpoch(before, owner, released);
  const outcome = await committer.submit({ checks: [{ key, value: before }], writes: [put(key, value)], witness: key }, value.length);
  if (outcome === "check-failed") {
    throw sameMoment(ship);
  }
  return { epoch: BigInt(epoch), check: { key, value }, from };
}

/**
 * Replaces the epoch record in a store that several processes share. When it is not known whether that took effect, the claim is withdrawn before
 * the error is thrown: others would take this process, which lives, for the ship's writer.
 */
async function replaceShared(committer: Committer, ship: Ship, before: Buffer | null, owner: Owner): Promise<Raised> {
  try {
    return await replaceEpoch(committer, ship, before, owner, false);
  } catch (error) {
    if (isUnknown(error)) {
      await withdraw(committer, ship, before, owner);
    }
    throw error;
  }
}

/** Ends a claim that has landed, or has not, or still may: whichever record is there is followed by a released one, after which it cannot land. */
async function withdraw(committer: Committer, ship: Ship, before: Buffer | null, owner: Owner): Promise<void> {
  const { value } = nextEpoch(before, owner, false);
  // The last time for one that landed between the first two.
  for (const seen of [value, before, value]) {
    const done = await replaceEpoch(committer, ship, seen, owner, true).catch(() => null);
    if (done !== null) {
      return;
    }
  }
}

/** Raises the epoch once its present owner permits it, who can commit nothing more from then on. */
async function raiseEpoch(kv: Kv, committer: Committer, ship: Ship, owner: Owner, succession: Succession | null): Promise<Raised> {
  const before = await kv.get(keys.epoch(ship));
  if (succession === null) {
    return replaceEpoch(committer, ship, before, owner, false);
  }
  if (before !== null) {
    await succession.permit(ship, decodeEpoch(before));
  }
  return replaceShared(committer, ship, before, owner);
}

/**
 * Ends whatever claim there is, without asking whether its owner lives; the ship is free afterwards. Gives the record of the claim that was
 * ended, or null when there was none. Throws `ship-busy` when somebody claimed at the same moment.
 */
export async function endClaim(kv: Kv, committer: Committer, ship: Ship, by: Owner): Promise<EpochRecord | null> {
  const before = await kv.get(keys.epoch(ship));
  if (before === null || decodeEpoch(before).released === true) {
    return null;
  }
  return (await replaceEpoch(committer, ship, before, by, true)).from;
}

/**
 * Says in the epoch record that the claim's session has ended. Nothing of that session can be committed from then on, so its commits must have
 * ended before. When it fails, a successor has to look at this process's beat instead.
 */
export async function releaseClaim(committer: Committer, clock: Clock, claim: Grant): Promise<void> {
  const { epoch, check, owner } = claim;
  const value = encodeRecord({ epoch: Number(epoch), writer: owner.writer, session: owner.session, released: true });
  const { key } = check;
  try {
    await committer.submit({ checks: [check], writes: [put(key, value)], witness: key }, value.length);
  } catch (error) {
    if (error instanceof StoreError && error.code === "store-full") {
      // This process lives and beats: nobody else could claim the ship, however much room there is by then.
      clock.after(RELEASE_AGAIN_MS, () => void releaseClaim(committer, clock, claim));
    }
  }
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
 * and repaired. `succession` decides in stores that several processes share, and is null elsewhere. Throws `ship-busy`,
 * `ship-moved`, or the store's errors.
 */
export async function claimShip(kv: Kv, committer: Committer, ship: Ship, owner: Owner, succession: Succession | null): Promise<Claim> {
  // Before the epoch rises, so that a runtime with an old configuration disturbs nobody; and after it, when nobody else can change it any more.
  requireHere(ship, await readShip(kv, ship), owner);
  let { epoch, check } = await raiseEpoch(kv, committer, ship, owner, succession);
  try {
    for (let tries = 1; ; tries++) {
      try {
        return { epoch, check, owner, ...(await recoverCurrent(kv, committer, check, ship, owner)) };
      } catch (error) {
        if (succession === null || tries === RECOVERIES_MAX || !isUnknown(error)) {
          throw error;
        }
        // The repair may still land, and delete what is written from now on. Under the next epoch it cannot.
        ({ epoch, check } = await replaceShared(committer, ship, check.value, owner));
      }
    }
  } catch (error) {
    if (succession !== null) {
      // Others would take this process, which lives, for the ship's writer.
      await releaseClaim(committer, succession.clock, { epoch, check, owner });
    }
    throw error;
  }
}

/**
 * Raises the epoch as a claim does and leaves the current log alone, which may be damaged and is repaired by the next claim: for work on other logs.
 * Throws `ship-busy`, or the store's errors.
 */
export async function claimNoLog(kv: Kv, committer: Committer, ship: Ship, owner: Owner, succession: Succession | null): Promise<Grant> {
  const { epoch, check } = await raiseEpoch(kv, committer, ship, owner, succession);
  return { epoch, check, owner };
}

/** Whether a commit may have taken effect, or still may. */
function isUnknown(error: unknown): boolean {
  return error instanceof StoreError && error.code === "store-failed";
}

/** The current log, or the one to be, repaired; with the writes that make it known. */
async function recoverCurrent(
  kv: Kv,
  committer: Committer,
  check: Check,
  ship: Ship,
  owner: Owner,
): Promise<Pick<Claim, "creation" | "log">> {
  const record = (await readShip(kv, ship)) ?? { currentLog: 0, nextLog: 1 };
  requireHere(ship, record, owner);
  if (record.currentLog !== 0) {
    return { creation: [], log: await recover(kv, committer, check, { ship, log: record.currentLog }) };
  }
  const name: LogName = { ship, log: record.nextLog };
  const logRecord: LogRecord = { state: "open" };
  const shipRecord: ShipRecord = { currentLog: name.log, nextLog: name.log + 1 };
  const creation = [put(keys.ship(ship), encodeRecord(shipRecord)), put(keys.logRecord(name), encodeRecord(logRecord))];
  return { creation, log: await recover(kv, committer, check, name) };
}

/** Finds the log's end and removes what lies beyond it. A log that does not exist yet may have some too: a huge first event that broke off. */
export async function recover(kv: Kv, committer: Committer, check: Check, name: LogName): Promise<Log> {
  const tail = await findTail(kv, name);
  const repairs = await findLeftovers(kv, name, tail.height, tail.cutFrom);
  if (repairs.length > 0 && (await committer.submit({ checks: [check], writes: repairs }, 0)) === "check-failed") {
    throw sameMoment(name.ship);
  }
  return new Log(name, tail);
}
