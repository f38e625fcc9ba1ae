// What all verbs share: their common options, and the frame around each that turns errors into words and an exit code.
import type { Command } from "commander";
import { type ExitCode, failureOf } from "./failure.ts";
import { Output, type OutputOptions } from "./output.ts";

export interface TargetOptions extends OutputOptions {
  readonly socket?: string;
  readonly store?: string;
}

/** A new verb with the options every verb has. */
export function addVerb(program: Command, usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option("--json", "print one JSON object (docs/cli.md) instead of text")
    .option("--quiet", "print nothing but errors and warnings");
}

export function withSocket(command: Command): Command {
  return command.option("--socket <path>", "the sidecar's socket (default: $SEGURO_SOCKET, else the one in the user's runtime folder)");
}

/** For verbs that also work without a running sidecar. */
export function withStore(command: Command): Command {
  return withSocket(command).option(
    "--store <url>",
    "open this store itself, such as lmdb:DIR; an embedded one only while no sidecar runs on it",
  );
}

export function withKind(command: Command): Command {
  return command.option("--fake", "the fake ship of this name").option("--real", "the real ship of this name");
}

/** Runs a verb's work; sets the process's exit code and never throws. */
export async function run(options: OutputOptions, work: (output: Output) => Promise<ExitCode>): Promise<void> {
  const output = new Output(options);
  try {
    process.exitCode = await work(output);
  } catch (error) {
    const failure = failureOf(error);
    output.failure(failure);
    process.exitCode = failure.exitCode;
  }
}
