// The sidecar under test: the built command, in a process of its own, on a store of its own.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { repository } from "./programs.ts";

export const mainScript = path.join(repository, "dist/cli/main.js");

export interface SidecarSettings {
  /** More options of `serve`. */
  readonly args?: readonly string[];
  /** SEGURO_BENCH for it: what it leaves out (src/cli/bench-switches.ts). */
  readonly without?: "no-digests" | "no-digests,discard";
  /** The processors that it may use, as taskset takes them. */
  readonly processors?: string;
}

export class BenchSidecar {
  readonly socketPath: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, socketPath: string) {
    this.#child = child;
    this.socketPath = socketPath;
  }

  /** Resolves when it says that it serves. */
  static async start(
    socketPath: string,
    storeUrl: string,
    { args: more = [], without, processors }: SidecarSettings = {},
  ): Promise<BenchSidecar> {
    const args = [...profiling(), mainScript, "serve", "--socket", socketPath, "--store", storeUrl, "--log-level", "error", ...more];
    const env = without === undefined ? process.env : { ...process.env, SEGURO_BENCH: without };
    const command = processors === undefined ? [] : ["taskset", "-c", processors];
    const [program = "", ...rest] = [...command, process.execPath, ...args];
    const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"], env });
    const ended = once(child, "exit").then(([code]: (number | null)[]) => {
      throw new Error(`the sidecar ended with ${code} before it served`);
    });
    await Promise.race([once(child.stdout, "data"), ended]);
    ended.catch(() => undefined);
    return new BenchSidecar(child, socketPath);
  }

  /** Resident memory now. */
  get rssBytes(): number {
    return this.#memory("VmRSS");
  }

  /** The most that it has been. */
  get rssPeakBytes(): number {
    return this.#memory("VmHWM");
  }

  #memory(field: string): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? Number.NaN) * 1024;
  }

  /** Processor time of all its threads so far. */
  get cpuNs(): number {
    const tasks = `/proc/${this.#child.pid}/task`;
    const ofTask = (task: string): number => Number(readFileSync(path.join(tasks, task, "schedstat"), "utf8").split(" ")[0]);
    return readdirSync(tasks).reduce((sum, task) => sum + ofTask(task), 0);
  }

  /** As a crash ends it, and waits for that. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }

  /** Gracefully, and waits for it. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGTERM");
      await once(this.#child, "exit");
    }
  }
}

/** With SEGURO_BENCH_PROFILE set to a folder, sidecars write V8 profiles there. */
function profiling(): string[] {
  const folder = process.env.SEGURO_BENCH_PROFILE;
  return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}

/** Runs a verb of the built command and gives what it prints with --json. */
export async function verbJson(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(process.execPath, [mainScript, ...args, "--json"], { maxBuffer: 1 << 24 });
  return JSON.parse(stdout) as Record<string, unknown>;
}
