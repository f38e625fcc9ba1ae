// The C programs of bench/native: built when missing or out of date, run for one line of JSON.
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** This file runs compiled, from dist-bench/bench/lib. */
export const repository = path.resolve(import.meta.dirname, "../../..");
const buildFolder = path.join(repository, "build-bench");

export const programNames = [
  "floor_control",
  "socket_control",
  "echo_control",
  "ring_control",
  "lmdb_control",
  "client_append",
  "client_replay",
  "client_hold",
  "client_ships",
  "journal_engine",
] as const;
/** Built where FoundationDB's client library is installed. */
const FDB_CONTROL = "fdb_control";
export type ProgramName = (typeof programNames)[number] | typeof FDB_CONTROL;

/** Builds what is missing or older than its sources; silent unless it fails. */
export function buildPrograms(): void {
  // Every time: a build folder that is older than one of the programs does not know it as a target.
  execFileSync("cmake", ["-S", repository, "-B", buildFolder, "-DSEGURO_BENCH=ON", "-DCMAKE_BUILD_TYPE=Release"], { stdio: "pipe" });
  const targets = hasFoundationdbClient() ? [...programNames, FDB_CONTROL] : programNames;
  execFileSync("cmake", ["--build", buildFolder, "--target", ...targets], { stdio: "pipe" });
}

/** Whether CMake has found libfdb_c and its headers, the last time that it was asked. */
export function hasFoundationdbClient(): boolean {
  const cache = path.join(buildFolder, "CMakeCache.txt");
  const text = existsSync(cache) ? readFileSync(cache, "utf8") : "";
  return /^SEGURO_FDB_LIBRARY:FILEPATH=\//m.test(text) && /^SEGURO_FDB_INCLUDE:PATH=\//m.test(text);
}

/** On the processors named, as taskset takes them, or wherever the system likes. */
function start(name: ProgramName, args: readonly (string | number)[], processors?: string): ChildProcessWithoutNullStreams {
  const program = [path.join(buildFolder, "bench/native", name), ...args.map(String)];
  const [command = "", ...rest] = processors === undefined ? program : ["taskset", "-c", processors, ...program];
  return spawn(command, rest);
}

/** Resolves with everything the process wrote to its standard output; rejects with what it wrote to its standard error. */
export function outputOf(child: ChildProcessWithoutNullStreams, title: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) {
        resolve(output);
      } else {
        reject(new Error(`${title} ended with ${signal ?? code}: ${complaint.trim()}`));
      }
    });
  });
}

/** Runs a program to its end; its answer is one line of JSON with the named figure in it. */
export async function figureOf(name: ProgramName, figure: string, ...args: readonly (string | number)[]): Promise<number> {
  return await placedFigureOf(undefined, name, figure, ...args);
}

/** The same on the processors named. */
export async function placedFigureOf(
  processors: string | undefined,
  name: ProgramName,
  figure: string,
  ...args: readonly (string | number)[]
): Promise<number> {
  const answer = JSON.parse(await outputOf(start(name, args, processors), name)) as Record<string, number>;
  const value = answer[figure];
  if (value === undefined) {
    throw new Error(`${name} gave no ${figure}`);
  }
  return value;
}

/** Starts a program that says one line when it is ready and ends with its standard input. */
export async function startHolding(name: ProgramName, ...args: readonly (string | number)[]): Promise<{ end(): Promise<void> }> {
  const child = start(name, args);
  const ended = outputOf(child, name);
  await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), ended]);
  return {
    async end() {
      child.stdin.end();
      await ended;
    },
  };
}
