// Which logs a cut of the store's commit log concerns: those that lose events, and those of which nobody can know.
import type { Ship } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import type { LostRow } from "../store/journal-damage.ts";
import type { Kv } from "../store/kv.ts";
import { afterPrefix, decodeRecord, isBlockKey, keys, type LogName, type ShipRecord, shipOfKey } from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { type BlockHeader, decodeBlockHeader, lastIdOf } from "./block.ts";
import type { ConcernedLog } from "./cut.ts";
import { readState } from "./log-records.ts";
import { findTail } from "./tail.ts";

function keyOf({ ship, log }: LogName): string {
  return `${ship.kind}${ship.name}/${log}`;
}

/** The header of a block that would be lost; null for any other row, and for one that is no block. */
function lostBlock({ key, head }: LostRow): BlockHeader | null {
  try {
    return isBlockKey(key) ? decodeBlockHeader(head) : null;
  } catch {
    return null;
  }
}

function lostBlocks(rows: readonly LostRow[]): ConcernedLog[] {
  const found = new Map<string, ConcernedLog>();
  for (const row of rows) {
    const header = lostBlock(row);
    if (header !== null) {
      const before = found.get(keyOf(header.name))?.lost;
      const first = before === undefined || before === null || header.firstId < before.first ? header.firstId : before.first;
      const last = before === undefined || before === null || lastIdOf(header) > before.last ? lastIdOf(header) : before.last;
      found.set(keyOf(header.name), { name: header.name, lost: { first, last } });
    }
  }
  return [...found.values()];
}

/** Logs of a ship that somebody may have written since: the ones that were not retired, or the one that would have been the next. */
async function writableLogs(kv: Kv, ship: Ship, { currentLog, nextLog }: ShipRecord): Promise<LogName[]> {
  const names: LogName[] = [];
  for (let log = 1; log < nextLog; log++) {
    const state = await readState(kv, { ship, log });
    if (state === "open" || state === "arriving") {
      names.push({ ship, log });
    }
  }
  return currentLog === 0 ? [...names, { ship, log: nextLog }] : names;
}

/** Whatever is behind the log's end before the damage is lost, readable or not. */
async function lostFrom(kv: Kv, { name, lost }: ConcernedLog): Promise<ConcernedLog> {
  if (lost === null) {
    return { name, lost };
  }
  try {
    const { height } = await findTail(kv, name);
    return { name, lost: height !== 0n && height < lost.first ? { first: height + 1n, last: lost.last } : lost };
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "store-damaged") {
      throw error;
    }
    return { name, lost };
  }
}

/**
 * The logs that may lose events when the commit log is cut. `kv` shows the store as it is before the damage, `rows` are what whole records behind
 * it have put. Of a damaged record nobody knows whose it was, so every log that could be written then is concerned.
 */
export async function concernedLogs(kv: Kv, rows: readonly LostRow[]): Promise<ConcernedLog[]> {
  const concerned = new Map<string, ConcernedLog>();
  for (const log of lostBlocks(rows)) {
    concerned.set(keyOf(log.name), await lostFrom(kv, log));
  }
  const end = afterPrefix(keys.ships());
  for (let from = keys.ships(), more = true; more; ) {
    const page = await kv.range(from, end);
    for (const row of eachRow(page)) {
      const record = decodeRecord<ShipRecord>(row.value, "a ship record", ["currentLog", "nextLog"]);
      for (const name of await writableLogs(kv, shipOfKey(row.key), record)) {
        if (!concerned.has(keyOf(name))) {
          concerned.set(keyOf(name), { name, lost: null });
        }
      }
      from = Buffer.concat([row.key, Buffer.from([0])]);
    }
    more = page.more;
  }
  return [...concerned.values()];
}
