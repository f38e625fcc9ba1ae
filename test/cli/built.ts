// The command as users run it: compiled into dist, once for all tests, when the sources are newer.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmdirSync, statSync } from "node:fs";
import path from "node:path";

const repository = path.resolve(import.meta.dirname, "../..");
const main = path.join(repository, "dist/cli/main.js");
const lock = path.join(repository, ".tap/building-dist");
const LOCK_STALE_MS = 60_000;
const LOCK_POLL_MS = 50;

function timeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newestSource(folder: string): number {
  const times = readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const file = path.join(folder, entry.name);
    return entry.isDirectory() ? newestSource(file) : timeOf(file);
  });
  return Math.max(0, ...times);
}

function stale(): boolean {
  return timeOf(main) < newestSource(path.join(repository, "src"));
}

function takeLock(): void {
  mkdirSync(path.dirname(lock), { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw error;
      }
    }
    if (Date.now() - timeOf(lock) > LOCK_STALE_MS) {
      rmdirSync(lock);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
}

/** The path of dist/cli/main.js, compiled from the sources as they are now. */
export function builtMain(): string {
  if (!stale()) {
    return main;
  }
  takeLock();
  try {
    if (stale()) {
      const tsc = path.join(repository, "node_modules/typescript/bin/tsc");
      execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--noCheck"], { cwd: repository, stdio: "inherit" });
    }
    return main;
  } finally {
    rmdirSync(lock);
  }
}
