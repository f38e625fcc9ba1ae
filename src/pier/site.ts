// Where a pier is built before it appears: a temporary folder from which it is moved into place by one rename.
import { randomBytes } from "node:crypto";
import { promises as fs } from "node:fs";
import path from "node:path";
import { PierError } from "./errors.ts";

/** A place to build in. */
export interface BuildSite {
  /** The folder that takes `.urb`. */
  readonly root: string;
  /** Moves what was built into place, durably. */
  publish(): Promise<void>;
  /** Removes it. Never fails. */
  discard(): Promise<void>;
}

/** Flushes a folder's entries to the disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function entriesOf(folder: string): Promise<string[] | null> {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") {
      return null;
    }
    if (code === "ENOTDIR") {
      throw new PierError("pier-exists", `${folder} is there and is no folder`, "name a folder that does not exist yet");
    }
    throw error;
  }
}

/** Makes a build site for the pier `folder`, an absolute path to nothing or to an empty folder. */
export async function openBuildSite(folder: string): Promise<BuildSite> {
  const entries = await entriesOf(folder);
  if (entries !== null && entries.length > 0) {
    throw new PierError("pier-exists", `${folder} is not empty`, "name a folder that does not exist yet");
  }
  const suffix = `restoring-${process.pid}-${randomBytes(4).toString("hex")}`;
  return entries === null ? await siteBeside(folder, suffix) : await siteInside(folder, suffix);
}

async function discardFolder(folder: string): Promise<void> {
  await fs.rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

async function siteBeside(folder: string, suffix: string): Promise<BuildSite> {
  const parent = path.dirname(folder);
  const root = path.join(parent, `.${path.basename(folder)}.${suffix}`);
  await fs.mkdir(root, { mode: 0o700 });
  return {
    root,
    publish: async () => {
      await syncFolder(root);
      await fs.rename(root, folder);
      await syncFolder(parent);
    },
    discard: () => discardFolder(root),
  };
}

// An empty folder that exists may be a mount point or somebody's working folder: it stays, and gets `.urb` by one rename.
async function siteInside(folder: string, suffix: string): Promise<BuildSite> {
  const root = path.join(folder, `.${suffix}`);
  await fs.mkdir(root, { mode: 0o700 });
  return {
    root,
    publish: async () => {
      // Not ours to insist on where somebody else owns the folder: `.urb` itself is closed to others.
      await fs.chmod(folder, 0o700).catch(() => undefined);
      await fs.rename(path.join(root, ".urb"), path.join(folder, ".urb"));
      await fs.rmdir(root);
      await syncFolder(folder);
    },
    discard: () => discardFolder(root),
  };
}
