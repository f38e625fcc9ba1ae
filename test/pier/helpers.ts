// What the pier tests share: records taken apart and put together, and piers built through the writer.
import { createHash } from "node:crypto";
import { addon } from "../../src/native/addon.ts";
import type { PierMeta } from "../../src/pier/meta.ts";
import { PierReader, type ReadOptions } from "../../src/pier/read.ts";
import { PierWriter } from "../../src/pier/write.ts";
import type { ManifestLine } from "../fixtures.ts";

const { crc32c } = addon as { crc32c(bytes: Uint8Array, start?: number): number };
const headerBytes = 24;

export interface Event {
  id: bigint;
  payload: Buffer;
}

export function record(id: bigint, payload: Buffer): Buffer {
  const out = Buffer.alloc((headerBytes + payload.length + 7) & ~7);
  out.writeBigUInt64LE(BigInt(payload.length), 0);
  out.writeBigUInt64LE(id, 8);
  payload.copy(out, headerBytes);
  out.writeUInt32LE(crc32c(payload, crc32c(out.subarray(0, 20))), 20);
  return out;
}

/** Takes a record stream apart and checks every byte of its framing. */
export function parseRecords(stream: Buffer): Event[] {
  const events: Event[] = [];
  for (let at = 0; at < stream.length; ) {
    const lengthBytes = Number(stream.readBigUInt64LE(at));
    const end = at + ((headerBytes + lengthBytes + 7) & ~7);
    const payload = stream.subarray(at + headerBytes, at + headerBytes + lengthBytes);
    const crc = crc32c(payload, crc32c(stream.subarray(at, at + 20)));
    const padding = stream.subarray(at + headerBytes + lengthBytes, end);
    if (end > stream.length || stream.readUInt32LE(at + 16) !== 0 || stream.readUInt32LE(at + 20) !== crc || padding.some((b) => b !== 0)) {
      throw new Error(`the record at ${at} is malformed`);
    }
    events.push({ id: stream.readBigUInt64LE(at + 8), payload });
    at = end;
  }
  return events;
}

export function line(event: Event): ManifestLine {
  const sha256 = createHash("sha256").update(event.payload).digest("hex");
  return { id: event.id, lengthBytes: event.payload.length, sha256 };
}

/** All events of a log folder, as manifest lines, read in runs of at most `maxBytes`. */
export async function readLines(folder: string, maxBytes = 1 << 20, options: ReadOptions = {}): Promise<ManifestLine[]> {
  const reader = PierReader.open(folder, options);
  try {
    const parts: Buffer[] = [];
    for await (const run of reader.runs(maxBytes)) {
      parts.push(run.bytes);
    }
    return parseRecords(Buffer.concat(parts)).map(line);
  } finally {
    reader.close();
  }
}

/** META of a ship: `~zod`, fake, so that two values are empty. */
export const zodMeta: PierMeta = new Map([
  ["fake", Buffer.alloc(0)],
  ["life", Buffer.from([5])],
  ["version", Buffer.from([3])],
  ["who", Buffer.alloc(0)],
]);

export interface EpochFixture {
  base: bigint;
  payloads: Buffer[];
  image?: Buffer;
}

/** Builds a pier of these epochs. */
export async function buildPier(folder: string, epochs: EpochFixture[], meta: PierMeta = zodMeta): Promise<void> {
  const writer = await PierWriter.create(folder, { topMeta: meta });
  for (const { base, payloads, image } of epochs) {
    await writer.epoch({ base, meta, epocTxt: "2", vereTxt: "4.6" });
    if (image !== undefined) {
      await writer.file("image.bin", image);
    }
    const stream = payloads.map((payload, index) => record(base + 1n + BigInt(index), payload));
    await writer.records(Buffer.concat(stream));
  }
  await writer.finish();
}

/** `count` different payloads of `lengthBytes`, without a zero byte. */
export function payloads(count: number, lengthBytes: number, seed = 1): Buffer[] {
  return Array.from({ length: count }, (_, index) => {
    const payload = Buffer.alloc(lengthBytes);
    for (let i = 0; i < lengthBytes; i++) {
      payload[i] = 1 + ((i * 31 + index * 7 + seed) % 255);
    }
    return payload;
  });
}
