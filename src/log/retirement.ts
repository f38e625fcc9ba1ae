// The end of logs: retiring the current one of a ship, and forgetting one that is retired.
import { type Ship, shipText } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv, Write } from "../store/kv.ts";
import { encodeRecord, keys, type LogName, type LogRecord } from "../store/layout.ts";
import { SeguroError } from "../wire/errors.ts";
import { type Grant, sameMoment } from "./claim.ts";
import type { Committer } from "./committer.ts";
import { deleteLog } from "./deletion.ts";
import type { Directory } from "./directory.ts";
import { moveOf, requireFreeable, shipRecord } from "./moved.ts";
import type { OpenLogs } from "./open-logs.ts";
import type { Writer } from "./writer.ts";

/** Ends the current log under the writer's claim: the next session starts a new one. Gives its number. */
export async function retire(directory: Directory, writer: Writer): Promise<number> {
  const { ship } = writer.claim.log.name;
  // Read under the claim: another session may have ended one log and begun the next a moment ago.
  const existing = await directory.existing(ship);
  const { currentLog, nextLog } = existing;
  requireFreeable(ship, existing);
  if (currentLog === 0) {
    throw new SeguroError("no-such-log", `the last log of ${shipText(ship)} is retired already`, "the next session starts a new one");
  }
  const retired = shipRecord(0, nextLog, moveOf(existing));
  const record: LogRecord = { state: "retired" };
  await writer.commitAside(
    [
      { kind: "put", key: keys.ship(ship), value: [encodeRecord(retired)] },
      { kind: "put", key: keys.logRecord({ ship, log: currentLog }), value: [encodeRecord(record)] },
    ],
    0,
  );
  return currentLog;
}

/** What forgetting needs of the store's logs. */
interface Forgetting {
  readonly kv: Kv;
  readonly committer: Committer;
  readonly directory: Directory;
  readonly open: OpenLogs;
}

/**
 * Deletes a retired log for good, under the claim of the ship, so that nobody else ends logs of it or moves it meanwhile. May be called again when it
 * was interrupted. Gives the number of events that were there. Throws `ship-busy` when the claim ends.
 */
export async function forget(
  { kv, committer, directory, open }: Forgetting,
  ship: Ship,
  { check }: Grant,
  logNumber: number,
): Promise<bigint> {
  const name: LogName = { ship, log: logNumber };
  // Read under the claim: without it the ship could be brought back at any moment from where it was moved to.
  requireFreeable(ship, await directory.existing(ship));
  const state = await directory.state(name);
  if (state === null) {
    throw new SeguroError("no-such-log", `${shipText(ship)} has no log ${logNumber}`, "`seguro list` shows the logs there are");
  }
  if (state === "open") {
    throw new SeguroError("not-retired", `log ${logNumber} of ${shipText(ship)} is in use`, `retire it first: seguro retire ${ship.name}`);
  }
  const events = await eventsOf(open, name);
  const commit = async (writes: readonly Write[], witness?: Buffer): Promise<void> => {
    const outcome = await committer.submit({ checks: [check], writes, ...(witness !== undefined && { witness }) }, 0);
    if (outcome === "check-failed") {
      throw sameMoment(ship);
    }
  };
  const mark: LogRecord = { state: "forgetting" };
  const key = keys.logRecord(name);
  await commit([{ kind: "put", key, value: [encodeRecord(mark)] }], key);
  await deleteLog(kv, commit, name);
  return events;
}

/** How many events there are; 0n of a log that is damaged, which may be forgotten all the same. */
async function eventsOf(open: OpenLogs, name: LogName): Promise<bigint> {
  try {
    const { base, height } = await open.look(name);
    return height === 0n ? 0n : height - base + 1n;
  } catch (error) {
    if (error instanceof StoreError && error.code === "store-damaged") {
      return 0n;
    }
    throw error;
  }
}
