// All verbs put together, one file each; runs the one that was asked for.
import { Command, CommanderError } from "commander";
import { VERSION } from "../operate/version.ts";
import { addBench } from "./bench.ts";
import { Exit, failureOf } from "./failure.ts";
import { addFence } from "./fence.ts";
import { addForget } from "./forget.ts";
import { addImport } from "./import.ts";
import { addList } from "./list.ts";
import { addMigrate } from "./migrate.ts";
import { Output } from "./output.ts";
import { addRepair } from "./repair.ts";
import { addRestore } from "./restore.ts";
import { addRetire } from "./retire.ts";
import { addServe } from "./serve.ts";
import { addStatus } from "./status.ts";
import { addVerify } from "./verify.ts";
import { addVersion } from "./version.ts";

function makeProgram(): Command {
  const program = new Command("seguro");
  program
    .description("Keeps the event logs of Urbit ships: durable, checked, restorable.")
    .version(VERSION, "--version", "show the version")
    .showHelpAfterError(false)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride()
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 no sidecar answers, 4 refused, 5 damage found (docs/cli.md).");
  for (const add of [
    addServe,
    addImport,
    addRestore,
    addStatus,
    addList,
    addVerify,
    addRetire,
    addForget,
    addFence,
    addMigrate,
    addRepair,
    addBench,
    addVersion,
  ]) {
    add(program);
  }
  return program;
}

/** Runs the command line; sets the process's exit code. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  const program = makeProgram();
  if (argv.length === 0) {
    process.stdout.write(program.helpInformation());
    process.exitCode = Exit.USAGE;
    return;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      return;
    }
    const failure = failureOf(error);
    new Output({ json: argv.includes("--json") }).failure(failure);
    process.exitCode = failure.exitCode;
  }
}
