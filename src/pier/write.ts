// Writes a new pier that Vere opens: its log folders, META, epochs with their events and snapshots. It appears whole, or not at all.
import { constants, promises as fs } from "node:fs";
import path from "node:path";
import { asPierError, PierError, toPierError } from "./errors.ts";
import { epochFileNames, epochFolderName } from "./folders.ts";
import type { PierMeta } from "./meta.ts";
import { type NativeTableWriter, native } from "./native.ts";
import { type BuildSite, openBuildSite, syncFolder } from "./site.ts";

/** An epoch to write. */
export interface EpochToWrite {
  /** The first event is `base` + 1. */
  base: bigint;
  meta: PierMeta;
  /** Written as it is, without a newline. */
  epocTxt: string;
  vereTxt: string | null;
}

/** How to write; all of it optional. */
export interface WriteOptions {
  /**
   * Put the last epoch's snapshot into `.urb/chk` as well (the default), where a ship starts from: without it Vere refuses to start an epoch
   * above 0 until `play -f` has copied it there.
   */
  copySnapshot?: boolean;
}

interface OpenEpoch {
  folder: string;
  base: bigint;
  lastId: bigint;
  table: NativeTableWriter;
}

/**
 * Builds a pier in a temporary folder beside its place and moves it there in `finish`. Call `epoch`, then its `records` and `file`s, then the
 * next `epoch`; the calls are awaited one after the other. After any failure everything written is removed, and only `abort` may follow.
 */
export class PierWriter {
  readonly #site: BuildSite;
  readonly #log: string;
  readonly #copySnapshot: boolean;
  #epoch: OpenEpoch | null = null;
  #file: { name: string; handle: fs.FileHandle } | null = null;
  readonly #files = new Map<string, string[]>();
  #state: "open" | "finished" | "failed" = "open";

  private constructor(site: BuildSite, options: WriteOptions) {
    this.#site = site;
    this.#log = path.join(site.root, ".urb", "log");
    this.#copySnapshot = options.copySnapshot ?? true;
  }

  /**
   * Begins a pier that will stand in `folder`, which must not exist, or be empty; its parent must exist.
   * Throws `pier-exists`, `pier-missing`, `pier-permission` or `pier-full`.
   */
  static async create(folder: string, contents: { topMeta: PierMeta }, options: WriteOptions = {}): Promise<PierWriter> {
    const site = await asPierError(() => openBuildSite(path.resolve(folder)));
    const writer = new PierWriter(site, options);
    await writer.#guarded(async () => {
      for (const name of ["", "log", "put", "get"]) {
        await fs.mkdir(path.join(site.root, ".urb", name), { mode: 0o700 });
      }
      await new native.PierTableWriter(writer.#log, false, 0n, pairs(contents.topMeta)).finish();
    });
    return writer;
  }

  /** Ends the epoch before and begins one, whose base must be where that one ended (`pier-gap`). */
  async epoch(epoch: EpochToWrite): Promise<void> {
    await this.#guarded(async () => {
      if (this.#epoch !== null && epoch.base !== this.#epoch.lastId) {
        throw new PierError("pier-gap", `an epoch from event ${epoch.base} cannot follow one that ends with ${this.#epoch.lastId}`);
      }
      await this.#endEpoch();
      const folder = path.join(this.#log, epochFolderName(epoch.base));
      await fs.mkdir(folder, { mode: 0o700 });
      await writeWhole(path.join(folder, "epoc.txt"), epoch.epocTxt);
      if (epoch.vereTxt !== null) {
        await writeWhole(path.join(folder, "vere.txt"), epoch.vereTxt);
      }
      const table = new native.PierTableWriter(folder, true, epoch.base, pairs(epoch.meta));
      this.#epoch = { folder, base: epoch.base, lastId: epoch.base, table };
    });
  }

  /**
   * The next bytes of the epoch's record stream, cut anywhere. Every record's checksum, padding and id are checked before it is kept
   * (`pier-bad-record`, `pier-gap`). Do not touch `bytes` before the promise settles. Gives the last whole event's id.
   */
  async records(bytes: Uint8Array): Promise<bigint> {
    return await this.#guarded(async () => {
      const epoch = this.#current();
      epoch.lastId = await epoch.table.append(bytes);
      return epoch.lastId;
    });
  }

  /** The next bytes of a snapshot file of the epoch (`image.bin`, `north.bin`, `south.bin`); one file after the other. */
  async file(name: string, chunk: Uint8Array): Promise<void> {
    await this.#guarded(async () => {
      const epoch = this.#current();
      if (!epochFileNames.some((known) => known === name)) {
        throw new PierError("pier-bad-file", `${JSON.stringify(name)} is no file of an epoch`);
      }
      if (this.#file?.name !== name) {
        await this.#endFile();
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
        this.#file = { name, handle: await fs.open(path.join(epoch.folder, name), flags, 0o600) };
        this.#files.set(epoch.folder, [...(this.#files.get(epoch.folder) ?? []), name]);
      }
      await this.#file.handle.writeFile(chunk);
    });
  }

  /** Flushes everything to the disk and moves the pier to its place. */
  async finish(): Promise<void> {
    await this.#guarded(async () => {
      const epoch = this.#current();
      await this.#endEpoch();
      if (this.#copySnapshot && epoch.base > 0n) {
        await this.#copyToCheckpoint(epoch.folder);
      }
      for (const name of ["log", "put", "get", ""]) {
        await syncFolder(path.join(this.#site.root, ".urb", name));
      }
      await this.#site.publish();
      this.#state = "finished";
    });
  }

  /** Removes everything written; does nothing after `finish`. */
  async abort(): Promise<void> {
    if (this.#state === "open") {
      await this.#discard();
    }
  }

  #current(): OpenEpoch {
    if (this.#epoch === null) {
      throw new PierError("pier-closed", "a pier needs an epoch first");
    }
    return this.#epoch;
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#state !== "open") {
      throw new PierError("pier-closed", `this pier is ${this.#state}`);
    }
    try {
      return await work();
    } catch (error) {
      await this.#discard();
      throw toPierError(error);
    }
  }

  /** Never fails: what cannot be removed is named `.…restoring…` and is no pier. */
  async #discard(): Promise<void> {
    this.#state = "failed";
    await this.#epoch?.table.abort();
    await this.#file?.handle.close().catch(() => undefined);
    this.#file = null;
    await this.#site.discard();
  }

  async #endFile(): Promise<void> {
    if (this.#file !== null) {
      const { handle } = this.#file;
      await handle.sync();
      await handle.close();
      this.#file = null;
    }
  }

  async #endEpoch(): Promise<void> {
    if (this.#epoch !== null) {
      await this.#endFile();
      await this.#epoch.table.finish();
      await syncFolder(this.#epoch.folder);
      this.#epoch = null;
    }
  }

  async #copyToCheckpoint(epochFolder: string): Promise<void> {
    const names = this.#files.get(epochFolder) ?? [];
    if (names.length === 0) {
      return;
    }
    const folder = path.join(this.#site.root, ".urb", "chk");
    await fs.mkdir(folder, { mode: 0o700 });
    for (const name of names) {
      await fs.copyFile(path.join(epochFolder, name), path.join(folder, name), constants.COPYFILE_FICLONE);
      const handle = await fs.open(path.join(folder, name), "r+");
      await handle.chmod(0o600);
      await handle.sync();
      await handle.close();
    }
    await syncFolder(folder);
  }
}

function pairs(meta: PierMeta): [Buffer, Buffer][] {
  return [...meta].map(([key, value]) => [Buffer.from(key, "latin1"), value]);
}

async function writeWhole(file: string, text: string): Promise<void> {
  const handle = await fs.open(file, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
