// The work of `seguro repair`: looking at the damage, ending the commit log before it, and opening logs again afterwards.
import { acceptCut, cutRows } from "../log/cut.ts";
import { Logs } from "../log/logs.ts";
import { systemClock, systemTime } from "../operate/clock.ts";
import { StoreError } from "../store/errors.ts";
import { cutJournal } from "../store/journal-damage.ts";
import { openKv } from "../store/open.ts";
import { damageJson, damageText, type FoundDamage } from "./damage.ts";
import { lookAtDamage } from "./damage-look.ts";
import { CliError, Exit, type ExitCode } from "./failure.ts";
import { passingWriter } from "./instance.ts";
import type { Output } from "./output.ts";
import { shipName, shownShip } from "./ships.ts";

/** With hints for who repairs: a sidecar that has the store open has to end, and what else is damaged cannot be cut off. */
async function openedToRepair<Result>(open: () => Promise<Result>): Promise<Result> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof StoreError && error.code === "store-locked") {
      throw new CliError(error.code, error.message, "stop that process first: a store is repaired while nobody uses it", Exit.REFUSED);
    }
    if (error instanceof StoreError && error.code === "store-damaged") {
      const hint = "only the end of the commit log can be cut off, and this is something else: restore the store from a backup";
      throw new CliError(error.code, error.message, hint, Exit.DAMAGE);
    }
    throw error;
  }
}

/** `lookAtDamage`. */
export function look(dir: string): Promise<FoundDamage | null> {
  return openedToRepair(() => lookAtDamage(dir));
}

/** Ends the commit log before its damage. Logs that lost events, or may have, are marked first: they must not look whole afterwards. */
export function cut(dir: string, found: FoundDamage, output: Output): ExitCode {
  const { damage, concerned, store, formatted } = found;
  const rows = cutRows(concerned, damage.lastKept + 1n, formatted);
  const { aside, asideFiles } = cutJournal(dir, new Date().toISOString(), damage.lastKept, rows);
  output.result(
    { store, cut: true, aside, asideFiles, ...damageJson(found) },
    () => `${damageText(found)}the log ends with record ${damage.lastKept} now; ${asideFiles} files as they were lie in ${aside}\n`,
  );
  for (const line of [
    `${concerned.length} logs stay closed (store-damaged) until somebody has looked at each: \`seguro list --store ${store}\``,
    "for each ship: restore a better copy of its log if there is one; never boot a pier that is behind the ship",
    `where the ship's own pier is no further than the log (\`seguro verify\`): seguro repair ${store} --accept SHIP`,
  ]) {
    output.warn(line);
  }
  return Exit.OK;
}

export async function accept(
  store: string,
  ships: readonly string[],
  kind: "fake" | "real" | undefined,
  output: Output,
): Promise<ExitCode> {
  const kv = await openedToRepair(() => openKv(store, { create: false, startedAt: new Date().toISOString(), time: systemTime }));
  try {
    const logs = await Logs.open(kv, { writer: passingWriter(), clock: systemClock, defer: (work) => void setImmediate(work) });
    const accepted: { ship: string; kind: string; logs: number[] }[] = [];
    for (const argument of ships) {
      const { ship, record } = await logs.resolve(shipName(argument), kind ?? "either");
      accepted.push({ ship: ship.name, kind: ship.kind, logs: await acceptCut(kv, ship, record?.nextLog ?? 1) });
    }
    output.result({ store, accepted }, () =>
      accepted
        .map(({ ship, kind, logs: numbers }) =>
          numbers.length === 0
            ? `${shownShip(ship, kind)}: no log of it was closed by a cut\n`
            : `${shownShip(ship, kind)}: log ${numbers.join(", ")} goes on from where it ends\n`,
        )
        .join(""),
    );
    await logs.close();
  } finally {
    await kv.close();
  }
  return Exit.OK;
}
