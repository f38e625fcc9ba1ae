// The marks that keep logs closed after a cut of the store's commit log, until a person accepts them as they are (docs/schema.md, "Cut logs").
import type { Ship } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import type { StoreRow } from "../store/journal-damage.ts";
import type { Kv, Write } from "../store/kv.ts";
import { afterPrefix, type CutRecord, decodeRecord, encodeRecord, keyRest, keys, type LogName, newFormat } from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { logDamaged } from "./errors.ts";

/** A log that a cut concerns. */
export interface ConcernedLog {
  readonly name: LogName;
  /** Its events that would be lost, up to the last one that can still be read; null where it is only not known whether it loses any. */
  readonly lost: { readonly first: bigint; readonly last: bigint } | null;
}

interface CutMark {
  /** The first record of the commit log that was cut off. */
  readonly record: bigint;
  /** The last event that is known to have been there; 0n: nobody can know. */
  readonly lost: bigint;
}

/**
 * The marks of a cut whose first lost record is `record`. The record's number is part of the key: no record that is kept can have deleted such a
 * row, as it would have come before. A store that loses its format record too (not `formatted`) gets one, as it is not empty with the marks.
 */
export function cutRows(logs: readonly ConcernedLog[], record: bigint, formatted: boolean): StoreRow[] {
  const marks = logs.map(({ name, lost }) => ({
    key: keys.cut(name, record),
    value: encodeRecord({ lost: String(lost?.last ?? 0n) }),
  }));
  return formatted ? marks : [{ key: keys.format(), value: newFormat() }, ...marks];
}

async function readMarks(kv: Kv, name: LogName): Promise<CutMark[]> {
  // Only the commit log of an embedded store is ever cut.
  if (kv.shared) {
    return [];
  }
  const rows = await kv.range(keys.cuts(name), afterPrefix(keys.cuts(name)));
  return Array.from(eachRow(rows), ({ key, value }) => {
    const { lost } = decodeRecord<CutRecord>(value, "a mark of a cut", ["lost"]);
    return { record: keyRest(key).readBigUInt64BE(0), lost: BigInt(lost) };
  });
}

/** Throws `store-damaged` for a log that a cut has, or may have, taken acknowledged events from, and that nobody has accepted as it is. */
export async function requireUncut(kv: Kv, name: LogName): Promise<void> {
  const [mark] = await readMarks(kv, name);
  if (mark === undefined) {
    return;
  }
  const lost =
    mark.lost === 0n
      ? "it may have lost the events at its end, and nobody can tell from the store"
      : `its events behind the last one that is here are lost, up to event ${mark.lost} at least`;
  const { message } = logDamaged(name, `the store's commit log was cut at record ${mark.record} by \`seguro repair\`: ${lost}`);
  const hint = `\`seguro verify ${name.ship.name}\` says how far it goes. Restore a better copy; or, if the ship has never been further than that (its own pier knows), \`seguro repair STORE --accept ${name.ship.name}\``;
  throw new StoreError("store-damaged", message, hint);
}

/** Takes the marks off all logs of a ship, as a person said so. Gives the logs' numbers. */
export async function acceptCut(kv: Kv, ship: Ship, nextLog: number): Promise<number[]> {
  const accepted: number[] = [];
  const writes: Write[] = [];
  for (let log = 1; log <= nextLog; log++) {
    const marks = await readMarks(kv, { ship, log });
    if (marks.length > 0) {
      accepted.push(log);
    }
    // Each by its key: a range would reach the mark of a later cut, which is written below what the commit log holds.
    for (const { record } of marks) {
      writes.push({ kind: "delete", key: keys.cut({ ship, log }, record) });
    }
  }
  if (writes.length > 0) {
    await kv.commit([{ checks: [], writes }]);
  }
  return accepted;
}
