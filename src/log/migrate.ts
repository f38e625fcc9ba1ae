// Moves a ship with all of its logs into another store, so that at no moment two stores take its events (docs/schema.md, "Moved ships").
import { type Ship, shipText } from "../ship.ts";
import type { Write } from "../store/kv.ts";
import { formatOfMoves, keys, type LogName, type ShipRecord } from "../store/layout.ts";
import { readShip } from "./claim.ts";
import { deleteLog } from "./deletion.ts";
import { type Hold, withHolds } from "./hold.ts";
import { Log } from "./log.ts";
import type { Logs } from "./logs.ts";
import { MigrateError } from "./migrate-errors.ts";
import { compareLogs, copyLog, type MigrateHooks, proveCopy } from "./migrate-log.ts";
import { judge, type LogState, noSuchShip, put, says, statesOf, type Verdict } from "./migrate-state.ts";
import { moveOf, shipRecord } from "./moved.ts";

export interface MigrateOptions extends MigrateHooks {
  /** The source stays as it is, to be read; else its logs may be retired and forgotten. */
  readonly copy: boolean;
  /** This log alone, which must be the current one; 0 for all. */
  readonly log: number;
  /** As in `LogsOptions`. */
  readonly defer: (run: () => void) => void;
}

export interface MigratedLog {
  readonly log: number;
  readonly base: bigint;
  readonly height: bigint;
  /** Events that were written now; the others were there already. */
  readonly copied: bigint;
  /** Entries of metadata, epochs and files that were written now. */
  readonly extras: number;
  /** At the height, as computed from what the target holds; empty for a log without events. */
  readonly digest: string;
}

export interface MigratedShip {
  /** "already": an earlier run had finished it. "accepted": ended without the source. */
  readonly outcome: "moved" | "copied" | "already" | "accepted";
  /** None where an earlier run had proven all of them. */
  readonly logs: readonly MigratedLog[];
}

class Migration {
  readonly #source: Hold;
  readonly #target: Hold;
  readonly #ship: Ship;
  readonly #options: MigrateOptions;

  constructor(source: Hold, target: Hold, options: MigrateOptions) {
    this.#source = source;
    this.#target = target;
    this.#ship = source.ship;
    this.#options = options;
  }

  async run(): Promise<MigratedShip> {
    const here = await this.#source.record();
    const there = await this.#target.record();
    if (here === null) {
      throw noSuchShip(this.#ship, this.#source.kv);
    }
    const verdict = judge(this.#ship, here, this.#source.kv.name, there, this.#target.kv.name);
    const outcome = this.#options.copy && !says(here, "moved-to", this.#target.kv.name) ? "copied" : "moved";
    if (verdict === "arrive") {
      await this.#leave(here);
      await this.#arrive();
      return { outcome, logs: [] };
    }
    const logs = await this.#logsToMove(here, verdict);
    const present = await statesOf(this.#target.kv, this.#ship, there);
    // Before anything is changed: a ship that cannot be moved must stay one that can be used.
    const compared = await this.#compare(logs, present, verdict);
    if (verdict === "already") {
      await this.#leave(here);
      return { outcome: "already", logs: compared };
    }
    const nextLog = Math.max(here.nextLog, there?.nextLog ?? 1);
    await this.#begin(here, there, nextLog);
    const moved: MigratedLog[] = [];
    for (const log of logs.keys()) {
      moved.push(await this.#move(log, present.get(log) ?? null));
    }
    // All that the target needs is there before the source says that it was left: from then on the source may be freed, or lost.
    await this.#settle(shipRecord(here.currentLog, nextLog, { state: "moving-from", store: this.#source.kv.name }), logs, present);
    // The source before the target opens: while it says "moving", it alone has the ship, and giving up is safe whatever the target looks like.
    await this.#leave(here);
    await this.#arrive();
    return { outcome, logs: moved };
  }

  async #logsToMove(here: ShipRecord, verdict: Verdict): Promise<Map<number, LogState>> {
    const log = verdict === "already" ? 0 : this.#options.log;
    const all = await statesOf(this.#source.kv, this.#ship, here);
    const whole = [...all].filter(([, state]) => state !== "forgetting");
    if (log !== 0 && log !== here.currentLog) {
      const text = `log ${log} of ${shipText(this.#ship)} is not its current one, which is ${here.currentLog}`;
      throw new MigrateError("migrate-refused", text, "a ship goes with its current log; leave out --log to take the others along");
    }
    return new Map(whole.filter(([number]) => log === 0 || number === log));
  }

  /** Refuses where the target holds what is not the beginning of the source's; where the ship was moved already, it may have gone on. */
  async #compare(logs: ReadonlyMap<number, LogState>, present: ReadonlyMap<number, LogState>, verdict: Verdict): Promise<MigratedLog[]> {
    const compared: MigratedLog[] = [];
    for (const number of logs.keys()) {
      const state = present.get(number);
      if (state === undefined || state === "forgetting") {
        continue;
      }
      const name: LogName = { ship: this.#ship, log: number };
      const [from, to] = await Promise.all([Log.load(this.#source.kv, name), Log.load(this.#target.kv, name)]);
      const relation = await compareLogs(this.#source.kv, from, this.#target.kv, to);
      if (verdict === "already" ? relation === "behind" && to.height < from.height : relation === "ahead") {
        const text = `log ${number} of ${shipText(this.#ship)} ends with event ${from.height} in ${this.#source.kv.name}, with ${to.height} in ${this.#target.kv.name}`;
        const hint =
          "the longer one is the ship's: no acknowledged event may be lost; look for how the shorter one came about, such as an old backup";
        throw new MigrateError("migrate-ahead", `${text}. Nothing was written`, hint);
      }
      compared.push({ log: number, base: from.base, height: from.height, copied: 0n, extras: 0, digest: "" });
    }
    return compared;
  }

  /** From here on no session writes the ship, in either store, until it has arrived or the migration is given up. */
  async #begin(here: ShipRecord, there: ShipRecord | null, nextLog: number): Promise<void> {
    const key = keys.ship(this.#ship);
    const [from, to] = [this.#source.kv.name, this.#target.kv.name];
    if (moveOf(here) === null) {
      const marked = shipRecord(here.currentLog, here.nextLog, { state: "moving-to", store: to });
      await this.#source.commit([formatOfMoves(), put(key, marked)], key);
    }
    // Also where an earlier run had proven what the source had then.
    if (there === null || !says(there, "moving-from", from) || there.proven === true || there.nextLog < nextLog) {
      await this.#target.commit([formatOfMoves(), put(key, shipRecord(0, nextLog, { state: "moving-from", store: from }))], key);
    }
  }

  async #move(log: number, state: LogState | null): Promise<MigratedLog> {
    const name: LogName = { ship: this.#ship, log };
    const [source, target] = [this.#source.kv, this.#target.kv];
    if (state !== "arriving") {
      // What is left of a log without a record, or of one that was being forgotten, is no log.
      if (state === null || state === "forgetting") {
        await this.#delete(name);
      }
      const record = keys.logRecord(name);
      await this.#target.commit([put(record, { state: "arriving" })], record);
    }
    const from = await Log.load(source, name);
    const { events, extras } = await copyLog(source, from, this.#target, this.#options);
    const digest = await proveCopy(source, from, target, await Log.load(target, name), this.#options);
    return { log, base: from.base, height: from.height, copied: events, extras, digest };
  }

  #delete(name: LogName): Promise<void> {
    return deleteLog(this.#target.kv, (writes) => this.#target.commit(writes), name);
  }

  /**
   * What the target has is the whole ship, and all of it is proven; its record says so, and still that nobody may write it. What there is of logs that
   * did not come along stays only where it was whole: the source, which has not been left yet, has what it wants to have of them.
   */
  async #settle(settled: ShipRecord, logs: ReadonlyMap<number, LogState>, present: ReadonlyMap<number, LogState>): Promise<void> {
    const key = keys.ship(this.#ship);
    const writes: Write[] = [];
    for (const [log, state] of present) {
      const name: LogName = { ship: this.#ship, log };
      if (logs.has(log) || state === "retired") {
        continue;
      }
      if (state === "open") {
        writes.push(put(keys.logRecord(name), { state: "retired" }));
      } else {
        await this.#target.commit([put(keys.logRecord(name), { state: "forgetting" })]);
        await this.#delete(name);
      }
    }
    for (const [log, state] of logs) {
      writes.push(put(keys.logRecord({ ship: this.#ship, log }), { state }));
    }
    writes.push(put(key, { ...settled, proven: true }));
    await this.#target.commit(writes, key);
  }

  /** The source is no longer where the ship's log goes on. */
  async #leave(here: ShipRecord): Promise<void> {
    const store = this.#target.kv.name;
    const now = moveOf(here)?.state;
    const state = this.#options.copy && now !== "moved-to" ? "copied-to" : "moved-to";
    if (now !== state) {
      const key = keys.ship(this.#ship);
      await this.#source.commit([put(key, shipRecord(here.currentLog, here.nextLog, { state, store }))], key);
    }
  }

  /** The target is where it goes on: its own record has everything but the mark. */
  async #arrive(): Promise<void> {
    const there = await this.#target.record();
    if (there?.proven !== true) {
      throw new Error(`invariant: ${this.#target.kv.name} opens ${shipText(this.#ship)}, which is not proven there`);
    }
    const key = keys.ship(this.#ship);
    await this.#target.commit([put(key, shipRecord(there.currentLog, there.nextLog, null))], key);
  }
}

/**
 * Moves one ship; resolves when the target is where its log goes on. Both stores are claimed meanwhile. May be interrupted at any moment, and run
 * again: it goes on where it stopped. Throws a MigrateError, a SeguroError (`ship-busy`, `ship-moved`, ...), or a store's error.
 */
export async function migrateShip(from: Logs, to: Logs, ship: Ship, options: MigrateOptions): Promise<MigratedShip> {
  const here = await readShip(from.kv, ship);
  if (here === null) {
    throw noSuchShip(ship, from.kv);
  }
  if (from.kv.name === to.kv.name) {
    throw new MigrateError("migrate-refused", `${from.kv.name} is named on both sides`, "name another store with --to");
  }
  // Once before anybody's claim is disturbed, and again under the claims.
  judge(ship, here, from.kv.name, await readShip(to.kv, ship), to.kv.name);
  return withHolds(from, to, ship, options.defer, (source, target) => new Migration(source, target, options).run());
}
