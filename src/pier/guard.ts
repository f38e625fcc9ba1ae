// Runs work that reads a pier in a child process, so that a crash over a damaged file ends that process and not this one.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { PierError, type PierErrorCode, toPierError } from "./errors.ts";

type FromChild<Progress, Result> =
  | { kind: "ready" }
  | { kind: "progress"; progress: Progress }
  | { kind: "result"; result: Result }
  | { kind: "error"; code: PierErrorCode; message: string; hint: string; name: string; stack: string };

interface ToChild<Input> {
  kind: "start";
  input: Input;
}

/** How to run guarded work; all of it optional. */
export interface GuardOptions<Progress> {
  /** Ends the child; the promise then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Says in a few words how far the work had come, for the error about a crash; for example `event 17`. */
  describe?: (progress: Progress) => string;
}

// How a process ends when it touches memory that a damaged file no longer backs, or when a check in C fails.
const crashSignals = new Set(["SIGBUS", "SIGSEGV", "SIGABRT", "SIGILL", "SIGFPE"]);

/**
 * Forks the module `moduleUrl`, which calls `serveGuarded`, hands it `input` and gives its result. Input, progress and result cross by
 * structured clone (bigints and Buffers pass). A `PierError` of the child arrives as one; a crash by a memory fault becomes `pier-damaged`,
 * any other end without a result `pier-reader-failed`. The child ends with this process.
 */
export async function runGuarded<Input, Progress, Result>(
  moduleUrl: URL | string,
  input: Input,
  onProgress: (progress: Progress) => void = () => undefined,
  options: GuardOptions<Progress> = {},
): Promise<Result> {
  options.signal?.throwIfAborted();
  const child = fork(fileURLToPath(moduleUrl), [], { serialization: "advanced", execArgv: process.execArgv });
  const abort = () => child.kill("SIGKILL");
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    return await follow<Input, Progress, Result>(child, input, onProgress, options);
  } finally {
    options.signal?.removeEventListener("abort", abort);
    child.kill("SIGKILL");
  }
}

function follow<Input, Progress, Result>(
  child: ChildProcess,
  input: Input,
  onProgress: (progress: Progress) => void,
  options: GuardOptions<Progress>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let last: Progress | undefined;
    child.on("error", (error) => reject(toPierError(error)));
    child.on("exit", (code, signal) => {
      const came = last === undefined || options.describe === undefined ? "" : ` after ${options.describe(last)}`;
      reject(options.signal?.aborted === true ? options.signal.reason : exitError(code, signal, came));
    });
    child.on("message", (message: FromChild<Progress, Result>) => {
      switch (message.kind) {
        case "ready":
          child.send({ kind: "start", input } satisfies ToChild<Input>, (error) => error && reject(toPierError(error)));
          break;
        case "progress":
          last = message.progress;
          try {
            onProgress(last);
          } catch (error) {
            reject(error);
          }
          break;
        case "result":
          resolve(message.result);
          break;
        case "error":
          reject(rebuild(message));
          break;
      }
    });
  });
}

function exitError(code: number | null, signal: NodeJS.Signals | null, came: string): PierError {
  if (signal !== null && crashSignals.has(signal)) {
    return new PierError(
      "pier-damaged",
      `the process that read the pier crashed (${signal})${came}: a file of the pier is damaged there`,
      "restore that file from another copy of the pier",
    );
  }
  const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
  return new PierError(
    "pier-reader-failed",
    `the process that read the pier ${how}${came}, without a result`,
    "look at its messages above",
  );
}

function rebuild(message: { code: PierErrorCode; message: string; hint: string; name: string; stack: string }): Error {
  if (message.name === "PierError") {
    return new PierError(message.code, message.message, message.hint);
  }
  const error = new Error(message.message);
  return Object.assign(error, { name: message.name, code: message.code, hint: message.hint, childStack: message.stack });
}

/**
 * The child's side of `runGuarded`: waits for the input, runs `handler` and sends its result, or its error with `code`, `message` and `hint`.
 * The process ends afterwards, and at once when its parent is gone.
 */
export function serveGuarded<Input, Progress, Result>(
  handler: (input: Input, progress: (progress: Progress) => void) => Promise<Result>,
): void {
  const send = (message: FromChild<Progress, Result>) =>
    new Promise<void>((resolve) => {
      if (process.send === undefined || !process.connected) {
        resolve();
      } else {
        process.send(message, undefined, undefined, () => resolve());
      }
    });
  process.once("disconnect", () => process.exit(1));
  process.once("message", (message: ToChild<Input>) => {
    const report = (progress: Progress) => void send({ kind: "progress", progress });
    handler(message.input, report)
      .then((result) => send({ kind: "result", result }))
      .catch((error: unknown) => send(describeError(error)))
      .finally(() => process.exit(0));
  });
  void send({ kind: "ready" });
}

function describeError(thrown: unknown): FromChild<never, never> {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const fields = error as { code?: unknown; hint?: unknown };
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return {
    kind: "error",
    code: text(fields.code) as PierErrorCode,
    message: error.message,
    hint: text(fields.hint),
    name: error.name,
    stack: error.stack ?? "",
  };
}
