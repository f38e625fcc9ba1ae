// Running `seguro` as a process: one verb to its end, or a sidecar that serves until it is stopped.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { builtMain } from "./built.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Runs as this user; only root may ask for it. */
  readonly uid?: number;
}

/** Starts a verb that is not waited for here. */
export function spawnSeguro(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const { SEGURO_SOCKET: _, ...env } = process.env;
  const user = options.uid === undefined ? {} : { uid: options.uid };
  return spawn(process.execPath, [builtMain(), ...args], { env: { ...env, ...options.env }, stdio: ["pipe", "pipe", "pipe"], ...user });
}

async function collect(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => {
    texts.stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    texts.stderr += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...texts };
}

/** Runs a verb to its end. */
export function seguro(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = spawnSeguro(args, options);
  child.stdin?.end(options.stdin ?? "");
  return collect(child);
}

/** Runs a verb with --json and parses what it printed. */
export async function seguroJson(
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ code: number | null; json: Record<string, unknown>; stderr: string }> {
  const { code, stdout, stderr } = await seguro([...args, "--json"], options);
  const lines = stdout.trimEnd().split("\n");
  if (lines.length !== 1) {
    throw new Error(`not one line of JSON: ${stdout}\n${stderr}`);
  }
  return { code, json: JSON.parse(lines[0] ?? "") as Record<string, unknown>, stderr };
}

export interface Serving {
  readonly socket: string;
  readonly store: string;
  readonly ready: string;
  readonly process: ChildProcess;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

/** Starts `seguro serve` and waits until it says that it is ready. Rejects with its errors when it ends instead. */
export async function serve(args: readonly string[], options: RunOptions = {}): Promise<Serving> {
  const child = spawnSeguro(["serve", ...args], options);
  const ended = collect(child);
  if (child.stdout === null) {
    throw new Error("no stdout");
  }
  const lines = createInterface({ input: child.stdout });
  const ready = await Promise.race([
    once(lines, "line").then(([line]) => String(line)),
    ended.then(({ code, stderr }) => {
      throw new Error(`serve ended with ${code}: ${stderr}`);
    }),
  ]);
  const match = /serves (\S+) on (\S+)$/.exec(ready);
  return {
    socket: match?.[2] ?? "",
    store: match?.[1] ?? "",
    ready,
    process: child,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

/** The embedded engine of sidecars that do not name one; with `journal`, rings have lanes (docs/lane.md). */
export const ENGINE = process.env.SEGURO_TEST_ENGINE ?? "lmdb";

/** `seguro serve` with its socket and an embedded store in a folder. */
export function serveIn(folder: string, ...more: string[]): Promise<Serving> {
  return serve(["--socket", path.join(folder, "run", "s"), "--store", `${ENGINE}:${path.join(folder, "store")}`, ...more]);
}
