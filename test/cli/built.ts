// The command as users run it: compiled into dist, once for all tests, when the sources are newer.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs";
import path from "node:path";

const repository = path.resolve(import.meta.dirname, "../..");
const main = path.join(repository, "dist/cli/main.js");
const lock = path.join(repository, ".tap/dist-builder");
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

/** The process that builds now, or null. */
function builder(): number | null {
  try {
    return Number(readlinkSync(lock));
  } catch {
    return null;
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The lock is a link that names its owner: a build may take its time on a slow machine, and one that was killed holds nobody up. */
function takeLock(): void {
  mkdirSync(path.dirname(lock), { recursive: true });
  for (;;) {
    try {
      symlinkSync(String(process.pid), lock);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw error;
      }
    }
    const owner = builder();
    if (owner !== null && !lives(owner)) {
      rmSync(lock, { force: true });
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
}

/** The path of dist/cli/main.js, compiled from the sources as they are now. */
export function builtMain(): string {
  // While somebody builds, main.js may be new and what it imports may not.
  if (!stale() && builder() === null) {
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
    rmSync(lock);
  }
}
