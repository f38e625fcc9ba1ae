// Runs programs over flush-layer.c, the disk that loses what was not flushed: builds it, and sets and reads a run's control words.
//
// Use: `const layer = buildFlushLayer(t.testdir())`; where it is a string, skip with it. `const run = layer.run(folder, controlFile, {...})`, spawn
// any program with `env: {...process.env, ...run.env}`; everything it does to files below `folder` goes through the layer. `run.get("operations")`
// of a run that never crashed says how many points there are to crash at.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import path from "node:path";

const words = ["crashAt", "seed", "loss", "lie", "room", "flushErrno", "writeErrno", "syncWriteErrno", "operations", "lost"] as const;
export type Word = (typeof words)[number];

/** Which unflushed writes a crash loses: all, each by the seed's coin, or each sector of 512 bytes by it. */
export const loss = { all: 0, some: 1, sectors: 2 } as const;
/** What answers "done" without a flush: fsync and fdatasync, writes of O_DSYNC descriptors, or both. */
export const lie = { none: 0, flush: 1, syncWrite: 2, both: 3 } as const;

export interface Settings {
  /** The operation (write, flush, change of a folder) below the root at which the process dies; 0 for never. */
  readonly crashAt?: number;
  readonly seed?: number;
  readonly loss?: number;
  readonly lie?: number;
  /** Bytes by which files below the root may grow before ENOSPC. */
  readonly room?: number;
}

const wordBytes = 8;
const noLimit = 2n ** 64n - 1n;

/** One run over the layer. */
export class FlushRun {
  readonly env: Readonly<Record<string, string>>;
  readonly #fd: number;

  constructor(library: string, root: string, controlFile: string, settings: Settings) {
    writeFileSync(controlFile, Buffer.alloc(words.length * wordBytes));
    this.#fd = openSync(controlFile, "r+");
    this.env = { LD_PRELOAD: library, SEGURO_FLUSH_ROOT: root, SEGURO_FLUSH_CONTROL: controlFile };
    this.set("room", noLimit);
    for (const [word, value] of Object.entries(settings)) this.set(word as Word, value);
  }

  /** Sets a control word; the running program heeds it at its next operation. */
  set(word: Word, value: number | bigint): void {
    const bytes = Buffer.alloc(wordBytes);
    bytes.writeBigUInt64LE(BigInt(value));
    writeSync(this.#fd, bytes, 0, wordBytes, words.indexOf(word) * wordBytes);
  }

  /** Lets files grow without limit again. */
  makeRoom(): void {
    this.set("room", noLimit);
  }

  get(word: Word): number {
    const bytes = Buffer.alloc(wordBytes);
    readSync(this.#fd, bytes, 0, wordBytes, words.indexOf(word) * wordBytes);
    return Number(bytes.readBigUInt64LE());
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export class FlushLayer {
  readonly #library: string;

  constructor(library: string) {
    this.#library = library;
  }

  /** `root` must exist; `controlFile` must lie outside it and is overwritten. */
  run(root: string, controlFile: string, settings: Settings = {}): FlushRun {
    return new FlushRun(this.#library, root, controlFile, settings);
  }
}

/** Compiles the layer into `dir`, or says why it cannot be used here. */
export function buildFlushLayer(dir: string): FlushLayer | string {
  if (process.platform !== "linux") return "the flush layer is for Linux";
  const library = path.join(dir, "flush-layer.so");
  const source = path.join(import.meta.dirname, "flush-layer.c");
  const built = spawnSync("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source, "-lpthread"], {
    encoding: "utf8",
  });
  if (built.error !== undefined) return `no C compiler: ${built.error.message}`;
  if (built.status !== 0) throw new Error(`the flush layer does not compile:\n${built.stderr}`);
  return new FlushLayer(library);
}
