// `seguro import PIER`: a pier's whole log into the sidecar, read in a child process.
import path from "node:path";
import type { Command } from "commander";
import { runGuarded } from "../pier/guard.ts";
import { CliError, Exit } from "./failure.ts";
import { count, duration, pairs, size } from "./format.ts";
import type { ImportOutcome } from "./import-child.ts";
import type { ImportJob, ImportResult, ImportStep } from "./import-work.ts";
import type { Output, Progress } from "./output.ts";
import { shownShip } from "./ships.ts";
import { socketOf } from "./target.ts";
import { addVerb, run, type TargetOptions, withSocket } from "./verb.ts";

type ImportOptions = TargetOptions & { readonly acceptZeroPages?: boolean };

/** The compiled module in an installation, the source where sources run as they are. */
const CHILD = new URL(import.meta.url.endsWith(".ts") ? "./import-child.ts" : "./import-child.js", import.meta.url);

/** Turns the child's steps into words and a bar. */
class Steps {
  readonly #output: Output;
  #progress: Progress | null = null;
  #ship = "";

  constructor(output: Output) {
    this.#output = output;
  }

  take(step: ImportStep): void {
    switch (step.kind) {
      case "found":
        this.#ship = shownShip(step.ship, step.fake ? "fake" : "real");
        this.#found(step.runningPid, step.warnings);
        break;
      case "phase":
        this.stop();
        this.#progress = this.#output.progress(`${step.phase} ${this.#ship}`, step.total, "events");
        break;
      case "at":
        this.#progress?.update(step.done);
        break;
      case "file":
        this.stop();
        break;
    }
  }

  stop(): void {
    this.#progress?.stop();
    this.#progress = null;
  }

  #found(runningPid: number | null, warnings: readonly string[]): void {
    for (const warning of warnings) {
      this.#output.warn(warning);
    }
    if (runningPid !== null) {
      this.#output.warn(
        `${this.#ship} is running (process ${runningPid}): this import is a copy of what it has committed so far; it goes on without the sidecar`,
      );
    }
  }
}

function importText(result: ImportResult, elapsedMs: number): string {
  const ship = shownShip(result.ship, result.fake ? "fake" : "real");
  if (!result.changed) {
    return `${ship}: nothing to import, log ${result.log} holds the whole pier already (events ${count(result.first)} to ${count(result.height)})\n`;
  }
  const seconds = Math.max(elapsedMs, 1) / 1000;
  const rate = `${count(Math.round(Number(result.imported) / seconds))} events/s, ${size(Number(result.bytes) / seconds)}/s`;
  return pairs([
    ["ship", `${ship}, log ${result.log}`],
    ["events", `${count(result.imported)} imported (${size(result.bytes)}), ${count(result.present)} were there already`],
    ["height", count(result.height)],
    ["epochs", `${result.epochs}; ${result.files} files and ${result.metadata} metadata entries written`],
    ["digest", result.digest],
    ["time", `${duration(elapsedMs)} (${rate})`],
  ]);
}

function shown({ fake, shortEvents, ...result }: ImportResult, live: boolean, elapsedMs: number): Record<string, unknown> {
  const { ship, ...rest } = result;
  return { ship, kind: fake ? "fake" : "real", ...rest, shortEvents, live, elapsedMs };
}

async function importVerb(pier: string, options: ImportOptions, output: Output): Promise<typeof Exit.OK> {
  const startedAtMs = Date.now();
  const steps = new Steps(output);
  let live = false;
  const job = { pier: path.resolve(pier), socketPath: socketOf(options), acceptZeroPages: options.acceptZeroPages === true };
  const take = (step: ImportStep): void => {
    live ||= step.kind === "found" && step.runningPid !== null;
    steps.take(step);
  };
  const outcome = await runGuarded<ImportJob, ImportStep, ImportOutcome>(CHILD, job, take).finally(() => steps.stop());
  if ("failure" in outcome) {
    const { code, message, hint, exitCode } = outcome.failure;
    throw new CliError(code, message, hint, exitCode);
  }
  const { result } = outcome;
  if (result.shortEvents > 0n) {
    output.warn(`${count(result.shortEvents)} events have at most 4 bytes; they are kept, but Vere cannot replay them`);
  }
  const elapsedMs = Date.now() - startedAtMs;
  output.result(shown(result, live, elapsedMs), () => importText(result, elapsedMs));
  return Exit.OK;
}

export function addImport(program: Command): void {
  withSocket(addVerb(program, "import <pier>", "copy a pier's whole event log into the sidecar; resumable, repeatable"))
    .option("--accept-zero-pages", "take pages of zeros inside large events as written, not as lost")
    .action((pier: string, options: ImportOptions) => run(options, (output) => importVerb(pier, options, output)));
}
