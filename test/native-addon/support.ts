// What the tests of the native pieces share: streams of events, cuts, blocks and packed rows.
import { createHash } from "node:crypto";
import { type Assembler, createAssembler, type LargePiece, type Run } from "../../src/native/assembler.ts";
import { crc32c } from "../../src/native/checksum.ts";
import { encodeRecords, splitRecords } from "../../src/native/records.ts";

export const OPTIONS = { runBytes: 1 << 20, pieceBytes: 1 << 16, eventBytesMax: 2 ** 32 - 1 };

/** Bytes that differ from place to place, without randomness. */
export function fill(size: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function newAssembler(options: Partial<typeof OPTIONS> = {}): Assembler {
  return createAssembler({ ...OPTIONS, ...options });
}

export function takeAll(assembler: Assembler): ({ run: Run } | { large: LargePiece })[] {
  const items: ({ run: Run } | { large: LargePiece })[] = [];
  for (let item = assembler.take(); item !== null; item = assembler.take()) {
    items.push(item);
  }
  return items;
}

export function takeRuns(assembler: Assembler): Run[] {
  return takeAll(assembler).map((item) => {
    if (!("run" in item)) {
      throw new Error("a large piece where runs were expected");
    }
    return item.run;
  });
}

/** The complete events among items, in order; those of large pieces only when the last piece came. Throws when pieces are not as promised. */
export function eventsOf(items: readonly ({ run: Run } | { large: LargePiece })[], pieceBytes: number): { id: bigint; payload: Buffer }[] {
  const events: { id: bigint; payload: Buffer }[] = [];
  let pieces: Buffer[] = [];
  for (const item of items) {
    if ("run" in item) {
      const inside = splitRecords(item.run.bytes);
      const wrong = inside.length !== item.run.count || inside.some((event, index) => event.id !== item.run.firstId + BigInt(index));
      if (wrong || inside.at(-1)?.id !== item.run.lastId) {
        throw new Error("a run is not what it says it is");
      }
      events.push(...inside);
      continue;
    }
    const { id, recordBytes, index, bytes, last } = item.large;
    const count = Math.ceil(recordBytes / pieceBytes);
    if (bytes.length !== (index === count - 1 ? recordBytes - index * pieceBytes : pieceBytes)) {
      throw new Error(`piece ${index} of ${count} has ${bytes.length} bytes`);
    }
    pieces[index] = bytes;
    if (last) {
      const whole = Buffer.concat(pieces);
      const inside = splitRecords(whole);
      if (whole.length !== recordBytes || inside.length !== 1 || inside[0]?.id !== id) {
        throw new Error("pieces do not make the event");
      }
      events.push(...inside);
      pieces = [];
    }
  }
  return events;
}

/** Pushes the stream cut at the given places; returns the first status that is not OK. */
export function pushCut(assembler: Assembler, stream: Buffer, cuts: readonly number[]): number {
  let at = 0;
  for (const cut of [...cuts.map((value) => Math.min(value, stream.length)).sort((a, b) => a - b), stream.length]) {
    const status = assembler.push(stream.subarray(at, cut));
    if (status !== 0) {
      return status;
    }
    at = cut;
  }
  return 0;
}

/** d(i) of docs/protocol.md, by node:crypto. */
export function chainReference(before: Buffer, id: bigint, payload: Buffer): Buffer {
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64LE(id, 0);
  numbers.writeBigUInt64LE(BigInt(payload.length), 8);
  const inner = createHash("sha256").update(payload).digest();
  return createHash("sha256").update(before).update(numbers).update(inner).digest();
}

export interface BlockFields {
  magic: number;
  version: number;
  headerBytes: number;
  ship: Buffer;
  kind: number;
  flags: number;
  log: number;
  epoch: bigint;
  firstId: bigint;
  count: bigint;
  bytes: bigint;
  pieces: number;
  claim: bigint;
  /** Written over the finished header, before its checksum: [offset, byte]. */
  poke: readonly (readonly [number, number])[];
  badHeaderCrc: boolean;
}

export const SHIP = Buffer.from("00010000000000000000000000000000", "hex");

/** A block of the given payloads, with single fields changed. */
export function makeBlock(firstId: bigint, payloads: readonly Uint8Array[], change: Partial<BlockFields> = {}): Buffer {
  const records = encodeRecords(firstId, payloads);
  const header = Buffer.alloc(136);
  header.writeUInt32LE(change.magic ?? 0x4b424753, 0);
  header.writeUInt16LE(change.version ?? 1, 4);
  header.writeUInt16LE(change.headerBytes ?? 136, 6);
  (change.ship ?? SHIP).copy(header, 8);
  header[24] = change.kind ?? 1;
  header[25] = change.flags ?? 0;
  header.writeUInt32LE(change.log ?? 3, 28);
  header.writeBigUInt64LE(change.epoch ?? 9n, 32);
  header.writeBigUInt64LE(change.firstId ?? firstId, 40);
  header.writeBigUInt64LE(change.count ?? BigInt(payloads.length), 48);
  header.writeBigUInt64LE(change.bytes ?? BigInt(records.length), 56);
  header.writeUInt32LE(change.pieces ?? 0, 112);
  header.writeBigUInt64LE(change.claim ?? 0n, 120);
  for (const [offset, byte] of change.poke ?? []) {
    header[offset] = byte;
  }
  header.writeUInt32LE((crc32c(header.subarray(0, 132)) ^ (change.badHeaderCrc === true ? 1 : 0)) >>> 0, 132);
  return Buffer.concat([header, records]);
}

/** Packed rows as a range read gives them (src/store/kv.ts). */
export function makeRows(values: readonly Buffer[], keyBytes = 37): Buffer {
  const pieces: Buffer[] = [];
  for (const value of values) {
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32LE(keyBytes, 0);
    lengths.writeUInt32LE(value.length, 4);
    pieces.push(lengths, Buffer.alloc(keyBytes, 0x6b), value);
  }
  return Buffer.concat(pieces);
}
