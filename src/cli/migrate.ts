// `seguro migrate --from STORE --to STORE [SHIP...]`: ships with all of their logs into another store.
import type { Command } from "commander";
import type { MigratedShip } from "../log/migrate.ts";
import type { Ship } from "../ship.ts";
import { CliError, Exit, usageError } from "./failure.ts";
import { count, duration } from "./format.ts";
import type { MigrateReport } from "./migrate-work.ts";
import { runMigration, wholeUrl } from "./migrate-work.ts";
import type { Output, OutputOptions, Progress } from "./output.ts";
import { type KindOptions, kindOf, logNumber, shipName, shownShip } from "./ships.ts";
import { addVerb, run, withKind } from "./verb.ts";

type MigrateOptions = OutputOptions &
  KindOptions & {
    readonly from: string;
    readonly to?: string;
    readonly copy?: boolean;
    readonly cancel?: boolean;
    readonly accept?: boolean;
    readonly log?: string;
  };

type Ended = { readonly ship: Ship; readonly moved: MigratedShip | null };

/** What is said while it goes on, and what was done, for the end. */
class Steps implements MigrateReport {
  readonly ships: Ended[] = [];
  readonly signal: AbortSignal;
  readonly #output: Output;
  #progress: Progress | null = null;

  constructor(output: Output, signal: AbortSignal) {
    this.#output = output;
    this.signal = signal;
  }

  readonly phase: MigrateReport["phase"] = (phase, { ship, log }, total) => {
    this.stop();
    this.#progress = this.#output.progress(`${phase} ${shown(ship)} log ${log}`, total, "events");
  };

  readonly at: MigrateReport["at"] = (done) => this.#progress?.update(done);

  readonly ended: MigrateReport["ended"] = (ship, moved) => {
    this.stop();
    this.ships.push({ ship, moved });
  };

  readonly skipped: MigrateReport["skipped"] = (ship, reason) => this.#output.warn(`${shown(ship)} is left out: ${reason}`);

  readonly stalled: MigrateReport["stalled"] = (store, seconds) => this.#output.warn(`${store} has not answered for ${seconds} s; waiting`);

  readonly stranded: MigrateReport["stranded"] = (ship, left) => {
    this.stop();
    const text = left
      ? "has left its old store with everything, but is not open in the new one yet, and no session can write it meanwhile: run the same command again"
      : "has not arrived, and no session can write it meanwhile: run the same command again to go on, or with --cancel to give it up";
    this.#output.warn(`${shown(ship)} ${text}`);
  };

  stop(): void {
    this.#progress?.stop();
    this.#progress = null;
  }
}

function shown(ship: Ship): string {
  return shownShip(ship.name, ship.kind);
}

function shipLines({ ship, moved }: Ended, from: string, to: string | null): string {
  if (moved === null) {
    return `${shown(ship)} stays in ${from}\n`;
  }
  if (moved.outcome === "already") {
    return `${shown(ship)} is in ${to} already\n`;
  }
  if (moved.outcome === "accepted") {
    const found = moved.logs.map(
      ({ log, base, height }) => `  log ${log}: ${height === 0n ? "no events" : `events ${count(base)} to ${count(height)}`}\n`,
    );
    return `${shown(ship)} goes on in ${to}; ${from} was not asked\n${found.join("")}`;
  }
  const logs = moved.logs.map(({ log, base, height, copied, digest }) =>
    height === 0n
      ? `  log ${log}: no events\n`
      : `  log ${log}: events ${count(base)} to ${count(height)}, ${count(copied)} copied now; digest ${digest}, as in the source\n`,
  );
  return `${shown(ship)} is ${moved.outcome} to ${to}\n${logs.join("")}`;
}

function text(ships: readonly Ended[], from: string, to: string | null, elapsedMs: number): string {
  if (ships.length === 0) {
    return "no ship to move\n";
  }
  const lines = ships.map((ended) => shipLines(ended, from, to));
  const moved = ships.some((ended) => ended.moved?.outcome === "moved");
  const rest = moved ? `What was moved is still in ${from}: \`seguro retire\` and \`seguro forget\` free its room.\n` : "";
  return `${lines.join("")}${rest}It took ${duration(elapsedMs)}.\n`;
}

function object({ ship, moved }: Ended): object {
  const logs = moved?.logs.map(({ log, base, ...rest }) => ({ log, first: base, ...rest })) ?? [];
  return { ship: ship.name, kind: ship.kind, outcome: moved?.outcome ?? "cancelled", logs };
}

/** Runs `work`; the first signal ends it between two events, the second one at once. */
async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const interrupt = (): void =>
    controller.abort(new CliError("interrupted", "interrupted; what was copied stays", "run the command again to go on", Exit.INTERRUPTED));
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) {
    process.once(signal, interrupt);
  }
  try {
    await work(controller.signal);
  } finally {
    for (const signal of signals) {
      process.removeListener(signal, interrupt);
    }
  }
}

async function migrate(names: readonly string[], options: MigrateOptions, output: Output): Promise<typeof Exit.OK> {
  const startedAtMs = Date.now();
  const cancel = options.cancel === true;
  const from = wholeUrl(options.from);
  const to = options.to === undefined ? null : wholeUrl(options.to);
  if (to === null && !cancel) {
    throw usageError("--to is missing", "name the store that the ships go to, such as --to lmdb:DIR; only --cancel does without");
  }
  if (to === from) {
    throw usageError("--from and --to name the same store", "name two");
  }
  const accept = options.accept === true;
  if (accept && (names.length === 0 || cancel || options.copy === true || options.log !== undefined)) {
    throw usageError("--accept takes ships by name, and no other option", "name the ships whose source is lost");
  }
  const job = {
    from,
    to,
    ships: names.map(shipName),
    kind: kindOf(options) ?? ("either" as const),
    copy: options.copy === true,
    cancel,
    accept,
    log: options.log === undefined ? 0 : logNumber(options.log),
  };
  await interruptible(async (signal) => {
    const steps = new Steps(output, signal);
    await runMigration(job, steps).finally(() => steps.stop());
    const elapsedMs = Date.now() - startedAtMs;
    output.result({ from, to, ships: steps.ships.map(object), elapsedMs }, () => text(steps.ships, from, to, elapsedMs));
  });
  return Exit.OK;
}

export function addMigrate(program: Command): void {
  withKind(addVerb(program, "migrate [ships...]", "move ships with all of their logs into another store; resumable"))
    .requiredOption("--from <store>", "the store they are in; no sidecar may run on it")
    .option("--to <store>", "the store they go to; an embedded one is made when it is missing")
    .option("--copy", "keep the source to be read; nobody can write it any more either way")
    .option("--log <number>", "take only this log along, which must be the current one (default: all)")
    .option("--cancel", "give up a migration that has not ended: the ships stay in the source")
    .option("--accept", "the source is lost for good: open the ships named, if all of them had been copied and proven")
    .action((ships: string[], options: MigrateOptions) => run(options, (output) => migrate(ships, options, output)));
}
