// The bodies of protocol 1's flows: reading, metadata, epochs and their files, digests, administration.
import { Frame, META_KEY_MAX, META_VALUE_MAX } from "./constants.ts";
import { SeguroError } from "./errors.ts";
import { encodeFrame } from "./frames.ts";
import { type DigestPair, expectAtLeast, expectBytes } from "./messages.ts";

export interface Read {
  readonly from: bigint;
  /** Events; 0 for no limit. */
  readonly limit: bigint;
  readonly creditBytes: bigint;
  readonly flags: number;
}

export interface Sent {
  readonly count: bigint;
  readonly nextId: bigint;
  readonly reason: number;
}

export interface MetaEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface EpochEntry {
  readonly base: bigint;
  readonly fileBytes: bigint;
  readonly fileCrc: number;
  /** Empty for an epoch without files. */
  readonly name: string;
}

export interface FilePiece {
  readonly base: bigint;
  readonly offset: bigint;
  readonly totalBytes: bigint;
  readonly name: string;
  readonly data: Buffer;
}

export interface FileGet {
  readonly base: bigint;
  readonly offset: bigint;
  readonly mostBytes: number;
  readonly name: string;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

export function encodeU64(type: number, request: number, value: bigint): Buffer {
  return encodeFrame(type, request, u64(value));
}

/** CREDIT, EPOCH_PUT, META_LIST, DIGEST, TRIM and LIVE: one u64. */
export function decodeU64(body: Buffer, what: string): bigint {
  expectBytes(body, 8, what);
  return body.readBigUInt64LE(0);
}

export function encodeRead(request: number, read: Read): Buffer {
  const body = Buffer.alloc(32);
  body.writeBigUInt64LE(read.from, 0);
  body.writeBigUInt64LE(read.limit, 8);
  body.writeBigUInt64LE(read.creditBytes, 16);
  body.writeUInt32LE(read.flags, 24);
  return encodeFrame(Frame.READ, request, body);
}

export function decodeRead(body: Buffer): Read {
  expectBytes(body, 32, "READ");
  return {
    from: body.readBigUInt64LE(0),
    limit: body.readBigUInt64LE(8),
    creditBytes: body.readBigUInt64LE(16),
    flags: body.readUInt32LE(24),
  };
}

export function encodeSent(request: number, sent: Sent): Buffer {
  const body = Buffer.alloc(24);
  body.writeBigUInt64LE(sent.count, 0);
  body.writeBigUInt64LE(sent.nextId, 8);
  body.writeUInt32LE(sent.reason, 16);
  return encodeFrame(Frame.SENT, request, body);
}

export function decodeSent(body: Buffer): Sent {
  expectBytes(body, 24, "SENT");
  return { count: body.readBigUInt64LE(0), nextId: body.readBigUInt64LE(8), reason: body.readUInt32LE(16) };
}

export function encodeMetaGet(request: number, scope: bigint, key: Uint8Array): Buffer {
  return encodeFrame(Frame.META_GET, request, Buffer.concat([u64(scope), key]));
}

export function decodeMetaGet(body: Buffer): { scope: bigint; key: Buffer } {
  expectAtLeast(body, 8, "META_GET");
  return { scope: body.readBigUInt64LE(0), key: checkedKey(body.subarray(8)) };
}

function checkedKey(key: Buffer): Buffer {
  if (key.length < 1 || key.length > META_KEY_MAX) {
    throw new SeguroError("bad-meta", `a key of ${key.length} bytes`, `keys are 1 to ${META_KEY_MAX} bytes`);
  }
  return Buffer.from(key);
}

function encodeEntry(entry: MetaEntry): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(entry.key.length, 0);
  head.writeUInt32LE(entry.value.length, 4);
  return Buffer.concat([head, entry.key, entry.value]);
}

export function encodeMetaPut(request: number, scope: bigint, entry: MetaEntry): Buffer {
  return encodeFrame(Frame.META_PUT, request, Buffer.concat([u64(scope), encodeEntry(entry)]));
}

export function decodeMetaPut(body: Buffer): { scope: bigint; entry: MetaEntry } {
  expectAtLeast(body, 16, "META_PUT");
  const keyBytes = body.readUInt32LE(8);
  const valueBytes = body.readUInt32LE(12);
  expectBytes(body, 16 + keyBytes + valueBytes, "META_PUT");
  if (valueBytes > META_VALUE_MAX) {
    throw new SeguroError("bad-meta", `a value of ${valueBytes} bytes`, `values are at most ${META_VALUE_MAX} bytes`);
  }
  const key = checkedKey(body.subarray(16, 16 + keyBytes));
  return { scope: body.readBigUInt64LE(0), entry: { key, value: Buffer.from(body.subarray(16 + keyBytes)) } };
}

export function encodeMetaIs(request: number, value: Buffer | null): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(value === null ? 0 : 1, 0);
  head.writeUInt32LE(value?.length ?? 0, 4);
  return encodeFrame(Frame.META_IS, request, value === null ? head : Buffer.concat([head, value]));
}

export function decodeMetaIs(body: Buffer): Buffer | null {
  expectAtLeast(body, 8, "META_IS");
  expectBytes(body, 8 + body.readUInt32LE(4), "META_IS");
  return body.readUInt32LE(0) === 0 ? null : Buffer.from(body.subarray(8));
}

export function encodeMetaListed(request: number, entries: readonly MetaEntry[]): Buffer {
  return encodeFrame(Frame.META_LISTED, request, Buffer.concat(entries.map(encodeEntry)));
}

export function decodeMetaListed(body: Buffer): MetaEntry[] {
  const entries: MetaEntry[] = [];
  for (let at = 0; at < body.length; ) {
    expectAtLeast(body, at + 8, "META_LISTED");
    const keyEnd = at + 8 + body.readUInt32LE(at);
    const valueEnd = keyEnd + body.readUInt32LE(at + 4);
    expectAtLeast(body, valueEnd, "META_LISTED");
    entries.push({ key: Buffer.from(body.subarray(at + 8, keyEnd)), value: Buffer.from(body.subarray(keyEnd, valueEnd)) });
    at = valueEnd;
  }
  return entries;
}

export function encodeEpochs(request: number, epochs: readonly EpochEntry[]): Buffer {
  const parts = epochs.map((epoch) => {
    const name = Buffer.from(epoch.name);
    const head = Buffer.alloc(24);
    head.writeBigUInt64LE(epoch.base, 0);
    head.writeBigUInt64LE(epoch.fileBytes, 8);
    head.writeUInt32LE(epoch.fileCrc, 16);
    head.writeUInt32LE(name.length, 20);
    return Buffer.concat([head, name]);
  });
  return encodeFrame(Frame.EPOCHS, request, Buffer.concat(parts));
}

export function decodeEpochs(body: Buffer): EpochEntry[] {
  const epochs: EpochEntry[] = [];
  for (let at = 0; at < body.length; ) {
    expectAtLeast(body, at + 24, "EPOCHS");
    const nameEnd = at + 24 + body.readUInt32LE(at + 20);
    expectAtLeast(body, nameEnd, "EPOCHS");
    epochs.push({
      base: body.readBigUInt64LE(at),
      fileBytes: body.readBigUInt64LE(at + 8),
      fileCrc: body.readUInt32LE(at + 16),
      name: body.toString("utf8", at + 24, nameEnd),
    });
    at = nameEnd;
  }
  return epochs;
}

export function encodeFilePut(request: number, piece: FilePiece): Buffer {
  const name = Buffer.from(piece.name);
  const head = Buffer.alloc(32);
  head.writeBigUInt64LE(piece.base, 0);
  head.writeBigUInt64LE(piece.offset, 8);
  head.writeBigUInt64LE(piece.totalBytes, 16);
  head.writeUInt32LE(name.length, 24);
  head.writeUInt32LE(piece.data.length, 28);
  return encodeFrame(Frame.FILE_PUT, request, Buffer.concat([head, name, piece.data]));
}

export function decodeFilePut(body: Buffer): FilePiece {
  expectAtLeast(body, 32, "FILE_PUT");
  const nameEnd = 32 + body.readUInt32LE(24);
  expectBytes(body, nameEnd + body.readUInt32LE(28), "FILE_PUT");
  return {
    base: body.readBigUInt64LE(0),
    offset: body.readBigUInt64LE(8),
    totalBytes: body.readBigUInt64LE(16),
    name: body.toString("utf8", 32, nameEnd),
    data: Buffer.from(body.subarray(nameEnd)),
  };
}

export function encodeFileGet(request: number, get: FileGet): Buffer {
  const name = Buffer.from(get.name);
  const head = Buffer.alloc(24);
  head.writeBigUInt64LE(get.base, 0);
  head.writeBigUInt64LE(get.offset, 8);
  head.writeUInt32LE(get.mostBytes, 16);
  head.writeUInt32LE(name.length, 20);
  return encodeFrame(Frame.FILE_GET, request, Buffer.concat([head, name]));
}

export function decodeFileGet(body: Buffer): FileGet {
  expectAtLeast(body, 24, "FILE_GET");
  expectBytes(body, 24 + body.readUInt32LE(20), "FILE_GET");
  return {
    base: body.readBigUInt64LE(0),
    offset: body.readBigUInt64LE(8),
    mostBytes: body.readUInt32LE(16),
    name: body.toString("utf8", 24),
  };
}

export function encodeFileIs(request: number, totalBytes: bigint, data: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64LE(totalBytes, 0);
  head.writeUInt32LE(data.length, 8);
  return encodeFrame(Frame.FILE_IS, request, Buffer.concat([head, data]));
}

export function decodeFileIs(body: Buffer): { totalBytes: bigint; data: Buffer } {
  expectAtLeast(body, 16, "FILE_IS");
  expectBytes(body, 16 + body.readUInt32LE(8), "FILE_IS");
  return { totalBytes: body.readBigUInt64LE(0), data: Buffer.from(body.subarray(16)) };
}

export function encodeDigestIs(request: number, pair: DigestPair): Buffer {
  return encodeFrame(Frame.DIGEST_IS, request, Buffer.concat([u64(pair.id), pair.digest]));
}

export function decodeDigestIs(body: Buffer): DigestPair {
  expectBytes(body, 40, "DIGEST_IS");
  return { id: body.readBigUInt64LE(0), digest: Buffer.from(body.subarray(8)) };
}
