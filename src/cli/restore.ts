// `seguro restore SHIP DIR`: a pier that Vere opens, out of a ship's log.
import path from "node:path";
import type { Command } from "commander";
import { Client } from "../client/client.ts";
import { type Move, moveText } from "../log/moved.ts";
import type { Opened } from "../wire/messages.ts";
import { readStatus } from "./answers.ts";
import { DamageNote, type FoundDamage, type HeedDamage } from "./damage.ts";
import { CliError, Exit, type ExitCode, usageError } from "./failure.ts";
import { count, duration, pairs, size } from "./format.ts";
import { openShip, type ShipSession } from "./open-ship.ts";
import type { Output } from "./output.ts";
import { planRestore, type Stretch } from "./restore-plan.ts";
import { MARK_NAME, writePier } from "./restore-work.ts";
import { eventId, type KindOptions, kindOf, logNumber, shipName, shownShip } from "./ships.ts";
import { withSidecar } from "./target.ts";
import { addVerb, run, type TargetOptions, withKind, withStore } from "./verb.ts";

type RestoreOptions = TargetOptions &
  KindOptions & {
    readonly at?: string;
    readonly copy?: boolean;
    readonly damaged?: boolean;
    readonly log?: string;
    readonly vereVersion?: string;
    readonly life?: string;
  };

/** What the sidecar says about the ship at this moment. */
interface Standing {
  /** Who writes the ship, or null. */
  readonly writer: string | null;
  readonly currentLog: number;
  /** Where the ship's log lives now, or goes; null when that is here. */
  readonly moved: Move | null;
}

async function standingOf(socketPath: string, ship: string, kind: "real" | "fake"): Promise<Standing> {
  const admin = await Client.connect(socketPath, null);
  try {
    await admin.open({ role: "admin" });
    const status = readStatus(await admin.admin({ verb: "status", ship, kind }));
    const found = status.ships.find((entry) => entry.ship === ship && entry.kind === kind);
    return { writer: found?.writer ?? null, currentLog: found?.currentLog ?? 0, moved: found?.moved ?? null };
  } finally {
    await admin.close();
  }
}

function stretchOf(ship: string, opened: Opened, options: RestoreOptions): Stretch {
  if (opened.height === 0n) {
    throw new CliError("empty-log", `log ${opened.log} of ${ship} has no events`, "`seguro list` shows the logs");
  }
  const last = options.at === undefined ? opened.height : eventId(options.at);
  if (last < opened.base || last > opened.height) {
    const held = `events ${count(opened.base)} to ${count(opened.height)}`;
    throw usageError(
      `event ${count(last)} is not in log ${opened.log} of ${ship}, which holds ${held}`,
      "give another --at, or none for all of them",
    );
  }
  return { ship, kind: opened.kind === "fake" ? "fake" : "real", first: opened.base, last };
}

/** Why the pier must never be booted on the network; empty when it may. */
function reasonsNotToBoot(stretch: Stretch, opened: Opened, standing: Standing): string[] {
  const reasons: string[] = [];
  if (stretch.last < opened.height) {
    reasons.push(`it ends with event ${count(stretch.last)}, but the ship went on to event ${count(opened.height)}`);
  }
  if (standing.moved !== null) {
    reasons.push(`the ship's log was ${moveText(standing.moved)}`);
  }
  if (standing.currentLog !== opened.log && standing.moved?.state !== "moving-from") {
    reasons.push(`it is log ${opened.log} of the ship, which was retired`);
  }
  if (standing.writer !== null) {
    reasons.push(`it was copied while the ship was running elsewhere (${standing.writer})`);
  }
  return reasons;
}

function markText(ship: string, reasons: readonly string[]): string {
  return `NEVER BOOT THIS PIER ON THE NETWORK.

It is a copy of ${ship}, restored by Seguro, and not the ship as it is now:
${reasons.map((reason) => `- ${reason}.\n`).join("")}
Other ships remember messages that this copy does not know. If it ever spoke to
them, the real ship would have to be breached. It is good for looking at, and
for running without network (\`urbit --local\`) - for nothing else.
`;
}

function refuseWriter(ship: string, standing: Standing, options: RestoreOptions): void {
  if (standing.moved !== null && options.copy !== true) {
    throw new CliError(
      "ship-moved",
      `the log of ${ship} was ${moveText(standing.moved)}: it may go on there beyond what is here`,
      "restore it from there; or give --copy for a copy that must never be booted on the network",
      Exit.REFUSED,
    );
  }
  if (standing.writer !== null && options.copy !== true) {
    throw new CliError(
      "ship-busy",
      `${ship} is running: ${standing.writer} writes its log. Two of one ship on the network end in a breach`,
      "stop the ship first; or give --copy for a copy that must never be booted on the network",
      Exit.REFUSED,
    );
  }
}

interface Restored {
  readonly ship: string;
  readonly kind: "real" | "fake";
  readonly log: number;
  readonly dir: string;
  readonly first: bigint;
  readonly last: bigint;
  readonly height: bigint;
  readonly events: bigint;
  readonly bytes: bigint;
  readonly epochs: number;
  readonly neverBoot: boolean;
  readonly digest: string;
}

/** Restores through a session that is open for reading. */
async function restoreFrom(
  session: ShipSession,
  socketPath: string,
  ship: string,
  dir: string,
  options: RestoreOptions,
  output: Output,
  damage: DamageNote,
): Promise<Restored> {
  const { client, opened } = session;
  const stretch = stretchOf(ship, opened, options);
  const shown = shownShip(ship, stretch.kind);
  const standing = await standingOf(socketPath, ship, stretch.kind);
  refuseWriter(shown, standing, options);
  const plan = await planRestore(client, stretch, {
    ...(options.vereVersion === undefined ? {} : { vereVersion: options.vereVersion }),
    ...(options.life === undefined ? {} : { life: Number(eventId(options.life)) }),
  });
  for (const warning of plan.warnings) {
    output.warn(warning);
  }
  const reasons = [...damage.reasonsNotToBoot(), ...reasonsNotToBoot(stretch, opened, standing)];
  const mark = reasons.length === 0 ? null : markText(shown, reasons);
  const progress = output.progress(`restore ${shown}`, stretch.last - stretch.first + 1n, "events");
  const hooks = {
    onEvent: (id: bigint) => progress.update(id - stretch.first + 1n),
    // The ship may have been started meanwhile: then this pier is behind it already.
    beforeFinish: async () => refuseWriter(shown, await standingOf(socketPath, ship, stretch.kind), options),
  };
  const written = await writePier(client, dir, stretch, plan, mark, hooks).finally(() => progress.stop());
  if (mark !== null) {
    output.warn(`never boot this pier on the network (${MARK_NAME} in it says so): ${reasons.join("; ")}`);
  }
  const { kind, first, last } = stretch;
  const { log, height } = opened;
  const { events, bytes } = written;
  return {
    ship,
    kind,
    log,
    dir,
    first,
    last,
    height,
    events,
    bytes,
    epochs: plan.epochs.length,
    neverBoot: mark !== null,
    digest: written.digest.toString("hex"),
  };
}

function restoredText(restored: Restored, elapsedMs: number): string {
  const { ship, kind, log, dir, first, last, events, bytes, epochs, digest } = restored;
  return pairs([
    ["ship", `${shownShip(ship, kind)}, log ${log}`],
    ["pier", dir],
    ["events", `${count(first)} to ${count(last)}: ${count(events)} (${size(bytes)})`],
    ["epochs", String(epochs)],
    ["digest", `${digest} (as in the log)`],
    ["time", duration(elapsedMs)],
  ]);
}

/** Runs `work`; a signal ends the session under it, so that what was written so far is removed, and is told as such. */
async function interruptible<Result>(session: ShipSession, work: () => Promise<Result>): Promise<Result> {
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    void session.client.close();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) {
    process.once(signal, interrupt);
  }
  try {
    return await work();
  } catch (error) {
    if (interrupted) {
      throw new CliError("interrupted", "interrupted; nothing was restored", "run the command again", Exit.INTERRUPTED);
    }
    throw error;
  } finally {
    for (const signal of signals) {
      process.removeListener(signal, interrupt);
    }
  }
}

/** Without --damaged a damaged store stays closed: what comes out of it may lack the ship's last events. */
function requireDamaged(options: RestoreOptions, found: FoundDamage): void {
  if (options.damaged !== true) {
    const hint =
      "`seguro repair` says what would be lost; give --damaged for what lies before the damage, as a copy that must never be booted on the network";
    throw new CliError(
      "store-damaged",
      `the commit log of ${found.store} is damaged: events of this ship may be missing`,
      hint,
      Exit.DAMAGE,
    );
  }
}

async function restore(shipArgument: string, dirArgument: string, options: RestoreOptions, output: Output): Promise<ExitCode> {
  const startedAtMs = Date.now();
  const ship = shipName(shipArgument);
  const log = options.log === undefined ? 0 : logNumber(options.log);
  const kind = kindOf(options) ?? "either";
  const damage = new DamageNote(output);
  const heed: HeedDamage = (found) => {
    requireDamaged(options, found);
    damage.heed(found);
  };
  const work = async (socketPath: string): Promise<ExitCode> => {
    const session = await openShip(socketPath, ship, { role: "read", kind, log });
    try {
      const dir = path.resolve(dirArgument);
      const restored = await interruptible(session, () => restoreFrom(session, socketPath, ship, dir, options, output, damage));
      const elapsedMs = Date.now() - startedAtMs;
      output.result({ ...restored, elapsedMs, ...damage.json }, () => restoredText(restored, elapsedMs));
      return damage.exit;
    } finally {
      await session.client.close();
    }
  };
  return withSidecar(options, work, heed);
}

export function addRestore(program: Command): void {
  withKind(withStore(addVerb(program, "restore <ship> <dir>", "write a pier that Vere opens")))
    .option("--at <event>", "up to this event (default: the last)")
    .option("--damaged", "out of a journal store whose commit log is damaged: what lies before the damage")
    .option("--copy", "also while the ship is running: a copy that must never be booted on the network")
    .option("--log <number>", "an earlier log of the ship (default: the current one)")
    .option("--vere-version <text>", "for epochs whose vere.txt the log does not have, such as 4.6")
    .option("--life <number>", "for logs without Vere's metadata: the number of events in the boot sequence")
    .action((ship: string, dir: string, options: RestoreOptions) => run(options, (output) => restore(ship, dir, options, output)));
}
