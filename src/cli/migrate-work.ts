// The work of `seguro migrate`: opens both stores itself, and moves one ship after another.
import { readShip } from "../log/claim.ts";
import { Logs } from "../log/logs.ts";
import { type MigratedShip, migrateShip } from "../log/migrate.ts";
import { acceptMigration, cancelMigration } from "../log/migrate-end.ts";
import type { MigrateHooks } from "../log/migrate-log.ts";
import { type Move, moveOf } from "../log/moved.ts";
import { systemClock, systemTime } from "../operate/clock.ts";
import { type Ship, type ShipKind, shipText } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import { storeName } from "../store/name.ts";
import { openKv, parseStoreUrl } from "../store/open.ts";
import { CliError, Exit, usageError } from "./failure.ts";
import { passingWriter } from "./instance.ts";

export interface MigrateJob {
  readonly from: string;
  /** Null only to give migrations up. */
  readonly to: string | null;
  /** Names with their `~`; none for all ships. */
  readonly ships: readonly string[];
  readonly kind: ShipKind | "either";
  readonly copy: boolean;
  readonly cancel: boolean;
  /** The source is lost: only what the other store has proven. */
  readonly accept: boolean;
  /** 0 for all. */
  readonly log: number;
}

export interface MigrateReport extends MigrateHooks {
  /** A ship is done. */
  readonly ended: (ship: Ship, outcome: MigratedShip | null) => void;
  /** Not moved, and why; only where no ships were named. */
  readonly skipped: (ship: Ship, reason: string) => void;
  /** The ship's work failed in the middle: no session can write it now. `left`: the source has been left, and the other store was not opened yet. */
  readonly stranded: (ship: Ship, left: boolean) => void;
  /** A store does not answer, and is waited for. */
  readonly stalled: (store: string, seconds: number) => void;
}

/** A person waits: a cluster that has not answered by then for the first time is said to be away. */
const CLUSTER_PATIENCE_MS = 10_000;
/** Waiting for another writer's lease must not look like the end of the program. */
const ALIVE_MS = 60_000;

const defer = (run: () => void): void => void setImmediate(run);

/** The store's name, which is a URL too: what records call it by, however it was written here. */
export function wholeUrl(url: string): string {
  if (parseStoreUrl(url).engine === "memory") {
    throw usageError(
      "a memory store ends with its process: nothing can be moved out of it or into it",
      "name a store that lasts, such as lmdb:DIR",
    );
  }
  return storeName(url, process.env.FDB_CLUSTER_FILE);
}

/** Runs `work` with a store's logs; who holds the store otherwise is told with the way round it. */
async function withStore(url: string, create: boolean, report: MigrateReport, work: (logs: Logs) => Promise<void>): Promise<void> {
  const options = {
    create,
    startedAt: new Date().toISOString(),
    time: systemTime,
    clusterFile: process.env.FDB_CLUSTER_FILE,
    patienceMs: CLUSTER_PATIENCE_MS,
    onStall: (seconds: number) => report.stalled(url, seconds),
  };
  const kv = await openKv(url, options).catch((error: unknown) => {
    if (error instanceof StoreError && error.code === "store-locked") {
      const hint =
        "stop that sidecar first: its store must stand still while ships are moved; start it again with the store that they moved to";
      throw new CliError(error.code, error.message, hint, Exit.REFUSED);
    }
    throw error;
  });
  const alive = setInterval(() => undefined, ALIVE_MS);
  try {
    const logs = await Logs.open(kv, { writer: passingWriter(), clock: systemClock, defer });
    await work(logs).finally(() => logs.close());
  } finally {
    clearInterval(alive);
    await kv.close();
  }
}

/** The ships that are meant: those named, or all that have not gone elsewhere. */
async function shipsOf(job: MigrateJob, from: Logs, to: Logs | null, report: MigrateReport): Promise<Ship[]> {
  if (job.ships.length > 0) {
    const found = await Promise.all(job.ships.map((name) => from.resolve(name, job.kind)));
    return found.map(({ ship }) => ship);
  }
  const ships: Ship[] = [];
  for (const { ship, move } of await from.list()) {
    const here = job.cancel ? move?.state === "moving-to" : move === null || move.state === "moving-to" || move.store === to?.kv.name;
    if (here) {
      ships.push(ship);
    } else if (move !== null && !job.cancel) {
      report.skipped(ship, `${move.state === "moving-from" ? "it is only being moved here from" : "its log lives in"} ${move.store}`);
    }
  }
  return ships;
}

async function moveAll(job: MigrateJob, from: Logs, to: Logs, report: MigrateReport): Promise<void> {
  for (const ship of await shipsOf(job, from, to, report)) {
    try {
      report.ended(ship, await migrateShip(from, to, ship, { ...report, copy: job.copy, log: job.log, defer }));
    } catch (error) {
      const move = await moveIn(from, ship);
      if (move?.state === "moving-to") {
        report.stranded(ship, false);
      } else if (move?.store === to.kv.name && (await moveIn(to, ship))?.state === "moving-from") {
        report.stranded(ship, true);
      }
      throw error;
    }
  }
}

/** What a store says now; null where it cannot be read, after whatever else has failed. */
async function moveIn(logs: Logs, ship: Ship): Promise<Move | null> {
  const record = await readShip(logs.kv, ship).catch(() => null);
  return record === null ? null : moveOf(record);
}

/** What a store is when it is lost: not there, or not to be read. One that only fails may answer again. */
const LOST: readonly string[] = ["store-missing", "store-damaged"] satisfies StoreError["code"][];

/** Refuses while the source can be opened and has the ship: what it says decides then. */
async function requireLost(from: string, ship: Ship, report: MigrateReport): Promise<void> {
  if (from.startsWith("foundationdb:")) {
    const hint = "start the cluster, or restore it from its backup, and end the migration with the same command without --accept";
    throw new CliError(
      "migrate-refused",
      `a cluster that cannot be reached from here is not known to be lost: ${from}`,
      hint,
      Exit.REFUSED,
    );
  }
  try {
    await withStore(from, false, report, async (source) => {
      if ((await readShip(source.kv, ship)) !== null) {
        const hint = "leave out --accept: the same command without it ends the migration, or says why it cannot";
        throw new CliError("migrate-refused", `${from} is not lost, and has ${shipText(ship)}`, hint, Exit.REFUSED);
      }
    });
  } catch (error) {
    if (!(error instanceof StoreError) || !LOST.includes(error.code)) {
      throw error;
    }
  }
}

async function acceptAll(job: MigrateJob, to: Logs, report: MigrateReport): Promise<void> {
  for (const ship of await shipsOf(job, to, null, report)) {
    await requireLost(job.from, ship, report);
    report.ended(ship, await acceptMigration(to, ship, job.from, defer));
  }
}

async function cancelAll(job: MigrateJob, from: Logs, to: Logs | null, report: MigrateReport): Promise<void> {
  for (const ship of await shipsOf(job, from, to, report)) {
    await cancelMigration(from, to, ship, defer);
    report.ended(ship, null);
  }
}

/** Does the job. Throws a CliError, a MigrateError, a SeguroError or a store's error at the first ship that cannot be moved. */
export async function runMigration(job: MigrateJob, report: MigrateReport): Promise<void> {
  const { from, to } = job;
  if (to === null) {
    return withStore(from, false, report, (source) => cancelAll(job, source, null, report));
  }
  if (job.accept) {
    return withStore(to, false, report, (target) => acceptAll(job, target, report));
  }
  const work = job.cancel ? cancelAll : moveAll;
  return withStore(from, false, report, (source) => withStore(to, !job.cancel, report, (target) => work(job, source, target, report)));
}
