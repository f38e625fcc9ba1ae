// Migrations that do not go on from their source: given up, so that the ship stays where it was, or ended without the source, which is lost.
import { type Ship, shipText } from "../ship.ts";
import { keys } from "../store/layout.ts";
import { readShip } from "./claim.ts";
import { type Hold, withHold, withHolds } from "./hold.ts";
import { Log } from "./log.ts";
import type { Logs } from "./logs.ts";
import type { MigratedShip, MigrateOptions } from "./migrate.ts";
import { MigrateError } from "./migrate-errors.ts";
import { isProven, noSuchShip, put, says, statesOf } from "./migrate-state.ts";
import { moveOf, moveText, shipRecord } from "./moved.ts";

/**
 * Gives a migration up that has not left the source: the source is where the log goes on, as before. What the target has of it stays there, written
 * by nobody, for another attempt or to be forgotten. Without `to` only the source is touched. Throws `migrate-refused` when the ship has left it.
 */
export async function cancelMigration(from: Logs, to: Logs | null, ship: Ship, defer: MigrateOptions["defer"]): Promise<void> {
  if ((await readShip(from.kv, ship)) === null) {
    throw noSuchShip(ship, from.kv);
  }
  if (to === null) {
    return withHold(from, ship, defer, (source) => stay(source, null));
  }
  return withHolds(from, to, ship, defer, stay);
}

async function stay(source: Hold, target: Hold | null): Promise<void> {
  const { ship } = source;
  const key = keys.ship(ship);
  const here = await source.record();
  const move = here === null ? null : moveOf(here);
  if (here === null || (move !== null && move.state !== "moving-to")) {
    const text = `no migration of ${shipText(ship)} from ${source.kv.name} is under way that could be given up`;
    const hint =
      "`seguro list` shows where it is; when it has left, the same command without --cancel ends it, and one more brings it back";
    throw new MigrateError("migrate-refused", text, hint);
  }
  // The target first: once the source may be written, what the target has must not pass for all of it.
  if (target !== null) {
    await turnBack(target, source.kv.name);
  }
  if (move !== null) {
    await source.commit([put(key, shipRecord(here.currentLog, here.nextLog, null))], key);
  }
}

/** What has come from the source may be forgotten. */
async function turnBack(target: Hold, store: string): Promise<void> {
  const { ship, kv } = target;
  const there = await target.record();
  if (there === null || !says(there, "moving-from", store)) {
    const state = there === null ? "absent" : moveOf(there)?.state;
    if (state === undefined || state === "moving-to") {
      // Accepted without its source, perhaps: the source must not be written as well.
      const hint = `find out which of the two is right, and fence or forget the other; never run ${shipText(ship)} on both`;
      throw new MigrateError("migrate-refused", `${shipText(ship)} goes on in ${kv.name}`, hint);
    }
    return;
  }
  const open = [...(await statesOf(kv, ship, there))].filter(([, state]) => state === "open");
  const ended = open.map(([log]) => put(keys.logRecord({ ship, log }), { state: "retired" }));
  const key = keys.ship(ship);
  await target.commit([...ended, put(key, shipRecord(0, there.nextLog, { state: "moved-to", store }))], key);
}

/**
 * Ends a migration whose source is lost: the target is where the ship's log goes on, if its own record says that all of it came from `from` and was
 * proven. Nothing here can tell whether the source was given the ship back since. Throws `migrate-refused`.
 */
export async function acceptMigration(to: Logs, ship: Ship, from: string, defer: MigrateOptions["defer"]): Promise<MigratedShip> {
  if ((await readShip(to.kv, ship)) === null) {
    throw noSuchShip(ship, to.kv);
  }
  return withHold(to, ship, defer, async (target) => {
    const there = await target.record();
    if (there === null || !isProven(there, from)) {
      const move = there === null ? null : moveOf(there);
      const said = move === null ? "goes on there" : `is ${moveText(move)}${there?.proven === true ? ", all of it proven" : ""}`;
      const text = `${to.kv.name} does not say of ${shipText(ship)} that all of it came from ${from} and was proven, but that it ${said}`;
      const hint = "--from takes the store as it is called there; only what was read back and proven can be accepted without its source";
      throw new MigrateError("migrate-refused", text, hint);
    }
    const states = await statesOf(to.kv, ship, there);
    // Before the ship is opened: what was damaged since it was proven is not accepted.
    const loaded = await Promise.all([...states.keys()].map((log) => Log.load(to.kv, { ship, log })));
    const logs = loaded.map(({ name, base, height }) => ({ log: name.log, base, height, copied: 0n, extras: 0, digest: "" }));
    const key = keys.ship(ship);
    await target.commit([put(key, shipRecord(there.currentLog, there.nextLog, null))], key);
    return { outcome: "accepted", logs };
  });
}
