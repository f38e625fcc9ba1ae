// Where things lie in a pier's folder, and which of its folders are epochs.
import { type Dirent, promises as fs } from "node:fs";
import path from "node:path";
import { PierError, toPierError } from "./errors.ts";

/** The files of an epoch besides its log. */
export const epochFileNames = ["image.bin", "north.bin", "south.bin"] as const;
/** `image.bin` (epochs of version 2) or `north.bin` and `south.bin` (version 1): the snapshot that the epoch begins with. */
export type EpochFileName = (typeof epochFileNames)[number];

/** Vere's name for the epoch whose first event is `base` + 1. */
export function epochFolderName(base: bigint): string {
  return `0i${base}`;
}

/** The base that an epoch folder's name says, or null for a name that is none. */
export function epochBase(name: string): bigint | null {
  return /^0i(0|[1-9][0-9]{0,18})$/.test(name) ? BigInt(name.slice(2)) : null;
}

/** The log folder of `folder`, which is a pier, its `.urb` or the log folder itself; throws `pier-missing` when it is none of these. */
export async function findLogFolder(folder: string): Promise<string> {
  const given = path.resolve(folder);
  const candidates = [path.join(given, ".urb", "log"), ...(path.basename(given) === ".urb" ? [path.join(given, "log")] : []), given];
  for (const candidate of candidates) {
    const names = await namesIn(candidate);
    const isLog = names.some((entry) => entry.name === "data.mdb" || epochBase(entry.name) !== null);
    if (isLog) {
      return candidate;
    }
  }
  throw new PierError("pier-missing", `${folder} is not a pier: it has no .urb/log`, "give the folder that Vere was started with");
}

/** The entries of a folder; none when it is missing. */
export async function namesIn(folder: string): Promise<Dirent[]> {
  try {
    return await fs.readdir(folder, { withFileTypes: true });
  } catch (error) {
    const failure = toPierError(error);
    if (failure.code === "pier-missing") {
      return [];
    }
    throw failure;
  }
}

/** A file's text, or null when it is missing; `pier-damaged` when it is absurdly long. */
export async function readText(file: string): Promise<string | null> {
  const textBytesMax = 4096;
  try {
    const status = await fs.stat(file);
    if (status.size > textBytesMax) {
      throw new PierError("pier-damaged", `${file} has ${status.size} bytes; it should hold a version`);
    }
    return await fs.readFile(file, "utf8");
  } catch (error) {
    const failure = toPierError(error);
    if (failure.code === "pier-missing") {
      return null;
    }
    throw failure;
  }
}
