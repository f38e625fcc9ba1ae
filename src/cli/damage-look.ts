// Looks at the damaged commit log of a journal store, and opens the store as it was before.
import path from "node:path";
import { concernedLogs } from "../log/concerned.ts";
import { openJournal } from "../store/journal.ts";
import { inspectJournal } from "../store/journal-damage.ts";
import type { Kv } from "../store/kv.ts";
import { keys } from "../store/layout.ts";
import type { FoundDamage } from "./damage.ts";

/** The store as it was before the damage, for reading. */
export function openBefore(dir: string): Kv {
  return openJournal(dir, { readOnly: true, beforeDamage: true, startedAt: new Date().toISOString() });
}

/** What is wrong with the commit log of a journal store and which logs that concerns; null if it is whole. Changes nothing. */
export async function lookAtDamage(dir: string): Promise<FoundDamage | null> {
  const damage = inspectJournal(dir, new Date().toISOString());
  if (damage === null) {
    return null;
  }
  const kv = openBefore(dir);
  try {
    const formatted = (await kv.get(keys.format())) !== null;
    return { formatted, store: `journal:${path.resolve(dir)}`, damage, concerned: await concernedLogs(kv, damage.lostRows) };
  } finally {
    await kv.close();
  }
}
