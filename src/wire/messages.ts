// The bodies of protocol 1's session and append frames, both directions (docs/protocol.md; flows.ts has reading, metadata and epochs).
import { DIGEST_BYTES, ERROR_FATAL, ERROR_RETRY, Frame, Kind, OPEN_RING, Role } from "./constants.ts";
import { ERRORS, type ErrorName, SeguroError } from "./errors.ts";
import { encodeFrame } from "./frames.ts";

export type RoleName = "write" | "read" | "admin";
export type KindName = "either" | "real" | "fake";

/** An event id and the digest of the log up to it; id 0 with zeros where there is none. */
export interface DigestPair {
  readonly id: bigint;
  readonly digest: Buffer;
}

export const NO_DIGEST: DigestPair = { id: 0n, digest: Buffer.alloc(DIGEST_BYTES) };

export interface Open {
  readonly role: RoleName;
  readonly kind: KindName;
  readonly log: number;
  readonly last: DigestPair;
  /** Set by a client that asks for shared memory: the wished bytes of each direction's data area, 0n for the server's choice. */
  readonly ring?: bigint;
}

export interface Opened {
  readonly log: number;
  readonly verdict: number;
  readonly kind: KindName;
  readonly base: bigint;
  readonly height: bigint;
  readonly digest: DigestPair;
  readonly epoch: bigint;
  readonly eventBytesMax: bigint;
  readonly batchBytesMax: bigint;
  readonly inFlightBytes: bigint;
  readonly decidedAt: bigint;
  /** Total bytes of the shared memory that comes with this frame; 0n where the session stays on the stream. */
  readonly ringBytes: bigint;
}

export interface Batch {
  readonly firstId: bigint;
  readonly count: bigint;
  readonly bytes: bigint;
}

const ROLES: Readonly<Record<RoleName, number>> = { write: Role.WRITE, read: Role.READ, admin: Role.ADMIN };
const KINDS: Readonly<Record<KindName, number>> = { either: Kind.EITHER, real: Kind.REAL, fake: Kind.FAKE };

function nameOf<Name extends string>(table: Readonly<Record<Name, number>>, value: number): Name | undefined {
  return (Object.keys(table) as Name[]).find((name) => table[name] === value);
}

/** Throws `bad-frame` unless the body has exactly the size its type has. */
export function expectBytes(body: Buffer, lengthBytes: number, what: string): void {
  if (body.length !== lengthBytes) {
    throw new SeguroError("bad-frame", `${what} has ${body.length} bytes, not ${lengthBytes}`, "see docs/protocol.md for its layout");
  }
}

/** Throws `bad-frame` unless the body has at least so many bytes. */
export function expectAtLeast(body: Buffer, lengthBytes: number, what: string): void {
  if (body.length < lengthBytes) {
    throw new SeguroError(
      "bad-frame",
      `${what} has ${body.length} bytes, fewer than ${lengthBytes}`,
      "see docs/protocol.md for its layout",
    );
  }
}

export function encodeOpen(open: Open): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt8(ROLES[open.role], 0);
  body.writeUInt8(KINDS[open.kind], 1);
  body.writeUInt32LE(open.log, 4);
  body.writeBigUInt64LE(open.last.id, 8);
  body.set(open.last.digest, 16);
  if (open.ring !== undefined) {
    body.writeBigUInt64LE(OPEN_RING, 48);
    body.writeBigUInt64LE(open.ring, 56);
  }
  return encodeFrame(Frame.OPEN, 0, body);
}

export function decodeOpen(body: Buffer): Open {
  expectBytes(body, 64, "OPEN");
  const role = nameOf(ROLES, body.readUInt8(0));
  const kind = nameOf(KINDS, body.readUInt8(1));
  if (role === undefined || kind === undefined) {
    throw new SeguroError("bad-open", "OPEN names an unknown role or kind", "roles are 1 to 3, kinds 0 to 2");
  }
  const options = body.readBigUInt64LE(48);
  const ring = body.readBigUInt64LE(56);
  const asksForRing = (options & OPEN_RING) !== 0n;
  if (body.readUInt16LE(2) !== 0 || (options & ~OPEN_RING) !== 0n || (!asksForRing && ring !== 0n)) {
    throw new SeguroError("bad-open", "OPEN asks for options this sidecar does not know", "ask without them, or update the sidecar");
  }
  const digest = Buffer.from(body.subarray(16, 48));
  const open = { role, kind, log: body.readUInt32LE(4), last: { id: body.readBigUInt64LE(8), digest } };
  return asksForRing ? { ...open, ring } : open;
}

export function encodeOpened(opened: Opened): Buffer {
  const body = Buffer.alloc(112);
  body.writeUInt32LE(opened.log, 0);
  body.writeUInt8(opened.verdict, 4);
  body.writeUInt8(KINDS[opened.kind], 5);
  body.writeBigUInt64LE(opened.base, 8);
  body.writeBigUInt64LE(opened.height, 16);
  body.writeBigUInt64LE(opened.digest.id, 24);
  body.set(opened.digest.digest, 32);
  body.writeBigUInt64LE(opened.epoch, 64);
  body.writeBigUInt64LE(opened.eventBytesMax, 72);
  body.writeBigUInt64LE(opened.batchBytesMax, 80);
  body.writeBigUInt64LE(opened.inFlightBytes, 88);
  body.writeBigUInt64LE(opened.decidedAt, 96);
  body.writeBigUInt64LE(opened.ringBytes, 104);
  return encodeFrame(Frame.OPENED, 0, body);
}

export function decodeOpened(body: Buffer): Opened {
  expectBytes(body, 112, "OPENED");
  return {
    log: body.readUInt32LE(0),
    verdict: body.readUInt8(4),
    kind: nameOf(KINDS, body.readUInt8(5)) ?? "either",
    base: body.readBigUInt64LE(8),
    height: body.readBigUInt64LE(16),
    digest: { id: body.readBigUInt64LE(24), digest: Buffer.from(body.subarray(32, 64)) },
    epoch: body.readBigUInt64LE(64),
    eventBytesMax: body.readBigUInt64LE(72),
    batchBytesMax: body.readBigUInt64LE(80),
    inFlightBytes: body.readBigUInt64LE(88),
    decidedAt: body.readBigUInt64LE(96),
    ringBytes: body.readBigUInt64LE(104),
  };
}

export function encodeBatch(batch: Batch): Buffer {
  const body = Buffer.alloc(24);
  body.writeBigUInt64LE(batch.firstId, 0);
  body.writeBigUInt64LE(batch.count, 8);
  body.writeBigUInt64LE(batch.bytes, 16);
  return encodeFrame(Frame.BATCH, 0, body);
}

export function decodeBatch(body: Buffer): Batch {
  expectBytes(body, 24, "BATCH");
  return { firstId: body.readBigUInt64LE(0), count: body.readBigUInt64LE(8), bytes: body.readBigUInt64LE(16) };
}

export function encodeHeight(height: bigint, pair: DigestPair): Buffer {
  const body = Buffer.alloc(48);
  body.writeBigUInt64LE(height, 0);
  body.writeBigUInt64LE(pair.id, 8);
  body.set(pair.digest, 16);
  return encodeFrame(Frame.HEIGHT, 0, body);
}

export function decodeHeight(body: Buffer): { height: bigint; digest: DigestPair } {
  expectBytes(body, 48, "HEIGHT");
  return { height: body.readBigUInt64LE(0), digest: { id: body.readBigUInt64LE(8), digest: Buffer.from(body.subarray(16, 48)) } };
}

export function encodeError(request: number, error: SeguroError): Buffer {
  const { code, flags } = ERRORS[error.code];
  const texts = [error.code, error.message, error.hint].map((text) => Buffer.from(text.slice(0, 2000)));
  const head = Buffer.alloc(24);
  head.writeUInt32LE(code, 0);
  head.writeUInt32LE(flags, 4);
  head.writeBigUInt64LE(error.id, 8);
  texts.forEach((text, index) => {
    head.writeUInt16LE(text.length, 16 + 2 * index);
  });
  return encodeFrame(Frame.ERROR, request, Buffer.concat([head, ...texts]));
}

/** Reads an ERROR. A name this side does not know (a newer server) becomes `internal` with the name in its sentence. */
export function decodeError(body: Buffer): { error: SeguroError; fatal: boolean; retry: boolean } {
  expectAtLeast(body, 24, "ERROR");
  const flags = body.readUInt32LE(4);
  const nameEnd = 24 + body.readUInt16LE(16);
  const textEnd = nameEnd + body.readUInt16LE(18);
  expectBytes(body, textEnd + body.readUInt16LE(20), "ERROR");
  const name = body.toString("utf8", 24, nameEnd);
  const text = body.toString("utf8", nameEnd, textEnd);
  const known = Object.hasOwn(ERRORS, name);
  const error = new SeguroError(
    known ? (name as ErrorName) : "internal",
    known ? text : `${name}: ${text}`,
    body.toString("utf8", textEnd),
    {
      id: body.readBigUInt64LE(8),
    },
  );
  return { error, fatal: (flags & ERROR_FATAL) !== 0, retry: (flags & ERROR_RETRY) !== 0 };
}
