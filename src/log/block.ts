// A block's header: written when a block is sealed, read at recovery and verification (layout: native/wire/block.h, docs/schema.md).
import { crc32c } from "../native/checksum.ts";
import { makeShip, shipBytes, shipNumberFromBytes } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import { kindByte, type LogName } from "../store/layout.ts";

export const BLOCK_HEADER_BYTES = 136;
const MAGIC = 0x4b424753;
const VERSION = 1;
const FLAG_MANIFEST = 1;
const CRC_AT = 132;

/** The newest event whose digest was known, and that digest. */
export interface Pair {
  readonly id: bigint;
  readonly digest: Buffer;
}

export interface BlockHeader {
  readonly name: LogName;
  /** Of the claim that wrote it. */
  readonly epoch: bigint;
  readonly firstId: bigint;
  readonly count: bigint;
  /** Of the records. */
  readonly bytes: bigint;
  /** The contiguous acknowledged height its writer knew. */
  readonly floor: bigint;
  readonly pair: Pair;
  /** Set when the records lie in pieces: how many, and the epoch in their keys. */
  readonly manifest: { readonly pieces: number; readonly stagedEpoch: bigint } | null;
}

export function lastIdOf(header: BlockHeader): bigint {
  return header.firstId + header.count - 1n;
}

export function encodeBlockHeader(header: BlockHeader): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEADER_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt16LE(VERSION, 4);
  bytes.writeUInt16LE(BLOCK_HEADER_BYTES, 6);
  shipBytes(header.name.ship.number).copy(bytes, 8);
  bytes.writeUInt8(kindByte(header.name.ship.kind), 24);
  bytes.writeUInt8(header.manifest === null ? 0 : FLAG_MANIFEST, 25);
  bytes.writeUInt32LE(header.name.log, 28);
  bytes.writeBigUInt64LE(header.epoch, 32);
  bytes.writeBigUInt64LE(header.firstId, 40);
  bytes.writeBigUInt64LE(header.count, 48);
  bytes.writeBigUInt64LE(header.bytes, 56);
  bytes.writeBigUInt64LE(header.floor, 64);
  bytes.writeBigUInt64LE(header.pair.id, 72);
  bytes.set(header.pair.digest, 80);
  bytes.writeUInt32LE(header.manifest?.pieces ?? 0, 112);
  bytes.writeBigUInt64LE(header.manifest?.stagedEpoch ?? 0n, 120);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, CRC_AT)), CRC_AT);
  return bytes;
}

function damaged(what: string): StoreError {
  return new StoreError("store-damaged", `a block header ${what}`, "run `seguro verify` to see how far the log is whole");
}

/** Reads and checks a header; `value` is a block or at least its header. */
export function decodeBlockHeader(value: Buffer): BlockHeader {
  if (value.length < BLOCK_HEADER_BYTES || value.readUInt32LE(0) !== MAGIC) {
    throw damaged("is not there");
  }
  if (value.readUInt32LE(CRC_AT) !== crc32c(value.subarray(0, CRC_AT))) {
    throw damaged("fails its checksum");
  }
  if (value.readUInt16LE(4) !== VERSION || value.readUInt16LE(6) !== BLOCK_HEADER_BYTES) {
    throw new StoreError("store-newer", `a block of version ${value.readUInt16LE(4)}`, "update Seguro");
  }
  const kind = value.readUInt8(24) === kindByte("fake") ? "fake" : "real";
  const manifest = (value.readUInt8(25) & FLAG_MANIFEST) !== 0;
  return {
    name: { ship: makeShip(shipNumberFromBytes(value.subarray(8, 24)), kind), log: value.readUInt32LE(28) },
    epoch: value.readBigUInt64LE(32),
    firstId: value.readBigUInt64LE(40),
    count: value.readBigUInt64LE(48),
    bytes: value.readBigUInt64LE(56),
    floor: value.readBigUInt64LE(64),
    pair: { id: value.readBigUInt64LE(72), digest: Buffer.from(value.subarray(80, 112)) },
    manifest: manifest ? { pieces: value.readUInt32LE(112), stagedEpoch: value.readBigUInt64LE(120) } : null,
  };
}
