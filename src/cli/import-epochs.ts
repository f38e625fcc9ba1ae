// What a pier holds beside events: Vere's metadata and the epochs' files, put into the log where they differ.
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import type { Client } from "../client/client.ts";
import type { FileSource } from "../client/files.ts";
import { crc32c } from "../native/checksum.ts";
import type { EpochEntry, MetaEntry } from "../wire/flows.ts";

const CHECK_BYTES = 1_048_576;

/** A file of an epoch, as it lies in the pier. */
export interface LocalFile {
  readonly base: bigint;
  readonly name: string;
  readonly path: string;
}

/** Puts the entries of a scope that the log has not, or has otherwise. Returns how many. */
export async function putMeta(client: Client, scope: bigint, entries: readonly MetaEntry[]): Promise<number> {
  const present = new Map((await client.metaList(scope)).map(({ key, value }) => [key.toString("latin1"), value]));
  const changed = entries.filter(({ key, value }) => present.get(key.toString("latin1"))?.equals(value) !== true);
  await Promise.all(changed.map((entry) => client.metaPut(scope, entry)));
  return changed.length;
}

async function readExactly(file: FileHandle, offset: number, lengthBytes: number, name: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  let done = 0;
  while (done < lengthBytes) {
    const { bytesRead } = await file.read(bytes, done, lengthBytes - done, offset + done);
    if (bytesRead === 0) {
      throw new Error(`${name} became shorter while it was read; import again`);
    }
    done += bytesRead;
  }
  return bytes;
}

async function checksum(file: FileHandle, totalBytes: number, name: string): Promise<number> {
  let sum = 0;
  for (let offset = 0; offset < totalBytes; offset += CHECK_BYTES) {
    sum = crc32c(await readExactly(file, offset, Math.min(CHECK_BYTES, totalBytes - offset), name), sum);
  }
  return sum;
}

/** Puts the file unless the log has the same bytes (by length and checksum). Returns whether it did. */
async function putFile(client: Client, local: LocalFile, present: EpochEntry | undefined): Promise<boolean> {
  const file = await open(local.path, "r");
  try {
    const totalBytes = (await file.stat()).size;
    const same =
      present !== undefined &&
      present.fileBytes === BigInt(totalBytes) &&
      present.fileCrc === (await checksum(file, totalBytes, local.path));
    if (same) {
      return false;
    }
    const source: FileSource = { totalBytes, read: (offset, lengthBytes) => readExactly(file, offset, lengthBytes, local.path) };
    await client.filePut(local.base, local.name, source);
    return true;
  } finally {
    await file.close();
  }
}

/** Declares the epochs the log lacks. Returns how many. */
export async function putEpochs(client: Client, bases: readonly bigint[]): Promise<number> {
  const present = new Set((await client.epochs()).map((entry) => entry.base));
  const missing = bases.filter((base) => !present.has(base));
  for (const base of missing) {
    await client.epochPut(base);
  }
  return missing.length;
}

/** Puts the files that the log lacks or has otherwise. Returns how many; `onFile` hears each name before it is read. */
export async function putFiles(client: Client, files: readonly LocalFile[], onFile: (name: string) => void): Promise<number> {
  const present = await client.epochs();
  let changed = 0;
  for (const local of files) {
    const entry = present.find(({ base, name }) => base === local.base && name === local.name);
    onFile(path.join(`0i${local.base}`, local.name));
    changed += (await putFile(client, local, entry)) ? 1 : 0;
  }
  return changed;
}
