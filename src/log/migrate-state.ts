// What two stores say of a ship that is to be moved: whether it may be, and how far it has come (docs/schema.md, "Moved ships").
import { type Ship, shipText } from "../ship.ts";
import type { Kv, Write } from "../store/kv.ts";
import { decodeRecord, encodeRecord, keys, type LogRecord, type ShipRecord } from "../store/layout.ts";
import { SeguroError } from "../wire/errors.ts";
import { MigrateError } from "./migrate-errors.ts";
import { type Move, moveOf, requireHere } from "./moved.ts";

export type LogState = LogRecord["state"];

/** What is to be done: everything; only to open the target, which the source has been left for; or nothing. */
export type Verdict = "move" | "arrive" | "already";

export function put(key: Buffer, record: ShipRecord | LogRecord): Write {
  return { kind: "put", key, value: [encodeRecord(record)] };
}

/** Whether a record says this of that store. */
export function says(record: ShipRecord | null, state: Move["state"], store: string): boolean {
  const move = record === null ? null : moveOf(record);
  return move?.state === state && move.store === store;
}

/** Whether a target's record says that all of the ship's logs have come from that store and were proven. */
export function isProven(record: ShipRecord | null, from: string): boolean {
  return says(record, "moving-from", from) && record?.proven === true;
}

export function noSuchShip(ship: Ship, kv: Kv): SeguroError {
  return new SeguroError("no-such-ship", `there is no log of ${shipText(ship)} in ${kv.name}`, "`seguro list` shows the ships there are");
}

/** Every log of a ship, with its state. */
export async function statesOf(kv: Kv, ship: Ship, record: ShipRecord | null): Promise<Map<number, LogState>> {
  const states = new Map<number, LogState>();
  for (let log = 1; log < (record?.nextLog ?? 1); log++) {
    const value = await kv.get(keys.logRecord({ ship, log }));
    if (value !== null) {
      states.set(log, decodeRecord<LogRecord>(value, "a log record", ["state"]).state);
    }
  }
  return states;
}

/** Whether what the two stores say of a ship lets it be moved. Throws a MigrateError, or `ship-moved`. */
export function judge(ship: Ship, here: ShipRecord, from: string, there: ShipRecord | null, to: string): Verdict {
  const name = shipText(ship);
  const target = there === null ? null : moveOf(there);
  if (says(here, "moved-to", to) || says(here, "copied-to", to)) {
    return judgeLeft(ship, here, from, there, to);
  }
  if (!says(here, "moving-to", to)) {
    requireHere(ship, here, {});
  }
  if (there !== null && target === null) {
    const hint = `it may be another ship's past, or this one's: compare with \`seguro list\`, and move only one of them`;
    throw new MigrateError("migrate-exists", `${to} has a log of ${name} already. Nothing was written`, hint);
  }
  if (target?.state === "moving-to" || (target?.state === "moving-from" && target.store !== from)) {
    const text =
      target.state === "moving-to" ? `is being moved from ${to} to ${target.store}` : `is being moved to ${to} from ${target.store}`;
    throw new MigrateError("migrate-other", `${name} ${text}`, "finish that first, or give it up with --cancel");
  }
  return "move";
}

/** The source has been left for the target: nothing of the source counts any more. */
function judgeLeft(ship: Ship, here: ShipRecord, from: string, there: ShipRecord | null, to: string): Verdict {
  if (there !== null && moveOf(there) === null) {
    return "already";
  }
  if (isProven(there, from)) {
    return "arrive";
  }
  if (says(there, "moving-from", from)) {
    const text = `${from} has been left for ${to}, which has a part of ${shipText(ship)} only`;
    throw new MigrateError("migrate-refused", text, `${to} may have been restored from an old backup: look for a newer one`);
  }
  requireHere(ship, here, {});
  return "already";
}
