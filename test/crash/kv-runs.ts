// Runs kv-worker: over the flush layer or without it, recording here, outside the process, what it said was acknowledged.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { plainTree } from "./plain-tree.ts";

export interface Life {
  /** The height that the worker found when it had opened the store, or -1 if it did not get so far. */
  readonly found: number;
  /** The last row acknowledged to us; 0 for none. */
  readonly acknowledged: number;
  readonly signal: string | null;
  readonly status: number | null;
  readonly errors: readonly string[];
}

/** What "append" has said so far. */
export class Worker {
  found = -1;
  acknowledged = 0;
  readonly errors: string[] = [];
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.#lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  /** Reads until a line satisfies `until`, or the end; true if one did. */
  async read(until: (line: string) => boolean): Promise<boolean> {
    for (;;) {
      const { value: line, done } = await this.#lines.next();
      if (done === true) return false;
      if (line.startsWith("at ")) this.found = Number(line.slice(3));
      else if (line.startsWith("error ")) this.errors.push(line.slice(6));
      else this.acknowledged = Number(line);
      if (until(line)) return true;
    }
  }
}

export type Engine = "lmdb" | "journal";

export class KvRuns {
  readonly #script: string;
  readonly #engine: Engine;

  constructor(dir: string, engine: Engine) {
    this.#engine = engine;
    this.#script = path.join(plainTree(path.join(dir, "tree"), ["src/native", "src/store", "test/crash"]), "test/crash/kv-worker.js");
  }

  start(store: string, rows: number, env: Readonly<Record<string, string>> = {}): Worker {
    return new Worker(
      spawn(process.execPath, [this.#script, "append", this.#engine, store, String(rows)], {
        env: { ...process.env, ...env },
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
  }

  /** Runs "append" to its end, whatever ends it. */
  async append(store: string, rows: number, env: Readonly<Record<string, string>> = {}): Promise<Life> {
    const worker = this.start(store, rows, env);
    const exit = once(worker.child, "exit");
    worker.child.stdin?.end();
    await worker.read(() => false);
    const [status, signal] = (await exit) as [number | null, string | null];
    return { found: worker.found, acknowledged: worker.acknowledged, signal, status, errors: worker.errors };
  }

  /** The height of a sound store, or what is wrong with it: a process of its own looks, because a damaged store may end it. */
  async verify(store: string): Promise<number | string> {
    const child = spawn(process.execPath, [this.#script, "verify", this.#engine, store], { stdio: ["ignore", "pipe", "pipe"] });
    const [out, err, [status, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    if (status === 0 && out.startsWith("at ")) return Number(out.slice(3));
    return `${signal ?? ""} ${err.split("\n").find((line) => /^\w*Error/.test(line)) ?? err.slice(0, 200)}`;
  }
}
