// Whole record streams in memory: writing, checking and splitting them. For tests, tools and clients; the hot path handles runs.
import { addon } from "./addon.ts";

export interface RecordsChecked {
  /** Good records, from the beginning. */
  readonly count: number;
  /** 0n when there is none. */
  readonly lastId: bigint;
  /** Which check the record after them failed, or null. */
  readonly error: string | null;
}

interface NativeRecords {
  checkRecords(bytes: Buffer, firstId: bigint): RecordsChecked;
  writeRecords(to: Buffer, firstId: bigint, payloads: readonly Uint8Array[]): void;
}

const native = addon as NativeRecords;

const RECORD_HEADER_BYTES = 24;
const PAYLOAD_BYTES_MAX = 0xffff_ffff;

/** Bytes of a whole record with header and padding. */
export function recordBytes(payloadBytes: number): number {
  return Math.ceil((RECORD_HEADER_BYTES + payloadBytes) / 8) * 8;
}

/** Checks framing, ids (contiguous from `firstId` on), padding and checksums of a stream of whole records. */
export function checkRecords(bytes: Buffer, firstId: bigint): RecordsChecked {
  return native.checkRecords(bytes, firstId);
}

/** Frames payloads as records with the ids from `firstId` on. */
export function encodeRecords(firstId: bigint, payloads: readonly Uint8Array[]): Buffer {
  let size = 0;
  for (const payload of payloads) {
    size += recordBytes(payload.byteLength);
  }
  const bytes = Buffer.allocUnsafeSlow(size);
  native.writeRecords(bytes, firstId, payloads);
  return bytes;
}

/** The events of a stream of whole records; payloads are views. Follows the framing only and throws a RangeError when a record is cut short. */
export function splitRecords(bytes: Buffer): { id: bigint; payload: Buffer }[] {
  const events: { id: bigint; payload: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lengthBytes = bytes.length - at < RECORD_HEADER_BYTES ? Number.NaN : Number(bytes.readBigUInt64LE(at));
    const end = at + recordBytes(lengthBytes);
    if (!(lengthBytes <= PAYLOAD_BYTES_MAX && end <= bytes.length)) {
      throw new RangeError(`records: cut short at byte ${at} of ${bytes.length}`);
    }
    const payloadAt = at + RECORD_HEADER_BYTES;
    events.push({ id: bytes.readBigUInt64LE(at + 8), payload: bytes.subarray(payloadAt, payloadAt + lengthBytes) });
    at = end;
  }
  return events;
}
