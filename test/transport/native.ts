// The C clients that the tests of the ring run as processes: libseguro's demo, many sessions at once, and a hostile one.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const repository = path.resolve(import.meta.dirname, "../..");
const native = path.join(repository, "native");
const client = path.join(native, "client");
const tests = path.join(repository, "test/native");

export interface Program {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function compile(output: string, sources: readonly string[]): string {
  const includes = [client, native, path.join(native, "include"), tests].map((at) => `-I${at}`);
  execFileSync("cc", ["-std=gnu11", "-O2", ...includes, ...sources, "-o", output]);
  return output;
}

const library = readdirSync(client)
  .filter((name) => name.endsWith(".c"))
  .map((name) => path.join(client, name));

export function compileDemo(folder: string): string {
  return compile(path.join(folder, "seguro-demo"), [...library, path.join(client, "demo/seguro_demo.c")]);
}

export function compileMany(folder: string): string {
  return compile(path.join(folder, "ring_many"), [...library, path.join(tests, "ring_many.c")]);
}

export function compileTail(folder: string): string {
  return compile(path.join(folder, "ring_tail"), [...library, path.join(tests, "ring_tail.c")]);
}

/** One of test/native, with libseguro. */
export function compileClient(output: string, source: string): string {
  return compile(output, [...library, path.join(tests, source)]);
}

export function compileScribbler(folder: string): string {
  return compile(path.join(folder, "ring_scribbler"), [path.join(tests, "ring_scribbler.c")]);
}

/** A folder of the test's own, removed with it. */
export function testFolder(t: { teardown(run: () => void): unknown }): string {
  const folder = mkdtempSync(path.join(tmpdir(), "seguro-ring-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function runProgram(program: string, args: readonly string[]): Promise<Program> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    texts.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    texts.stderr += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...texts };
}

/** A run of the demo whose stdout, the events in binary, goes into a file. */
export interface DemoRun {
  readonly ended: Promise<{ code: number | null; events: Buffer; totals: Record<string, unknown> | null; stderr: string }>;
  kill(): void;
}

export function startDemo(demo: string, args: readonly string[], output: string): DemoRun {
  const file = openSync(output, "w");
  const child = spawn(demo, args, { stdio: ["ignore", file, "pipe"] });
  closeSync(file);
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, "close").then(([code]) => {
    const totals = stderr.trimEnd().split("\n").at(-1) ?? "";
    return {
      code: code as number | null,
      events: readFileSync(output),
      totals: totals.startsWith("{") ? (JSON.parse(totals) as Record<string, unknown>) : null,
      stderr,
    };
  });
  return { ended, kill: () => void child.kill("SIGKILL") };
}
