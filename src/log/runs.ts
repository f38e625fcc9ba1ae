// Splits a run of whole records at an event id.
import type { Run } from "../native/assembler.ts";
import { recordBytes } from "../native/records.ts";

/** Bytes of the record that begins at `at`. */
function recordBytesAt(bytes: Buffer, at: number): number {
  return recordBytes(Number(bytes.readBigUInt64LE(at)));
}

/** The part of `run` below event `id` and the part from it on; either is null when it is empty. Views, not copies. */
export function splitRunAt(run: Run, id: bigint): { before: Run | null; from: Run | null } {
  if (id <= run.firstId) {
    return { before: null, from: run };
  }
  if (id > run.lastId) {
    return { before: run, from: null };
  }
  let at = 0;
  const count = Number(id - run.firstId);
  for (let i = 0; i < count; i++) {
    at += recordBytesAt(run.bytes, at);
  }
  return {
    before: { firstId: run.firstId, lastId: id - 1n, count, bytes: run.bytes.subarray(0, at) },
    from: { firstId: id, lastId: run.lastId, count: run.count - count, bytes: run.bytes.subarray(at) },
  };
}

/** The records of a stream of whole ones that lie above event `id`. */
export function recordsAfter(bytes: Buffer, id: bigint): Buffer {
  let at = 0;
  while (at < bytes.length && bytes.readBigUInt64LE(at + 8) <= id) {
    at += recordBytesAt(bytes, at);
  }
  return bytes.subarray(at);
}
