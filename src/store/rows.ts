// Walks the packed rows that a range read returns.
import type { Rows } from "./kv.ts";

export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** The rows, as views of the packed bytes. */
export function* eachRow(rows: Rows): Generator<Row> {
  let at = 0;
  for (let i = 0; i < rows.count; i++) {
    const keyEnd = at + 8 + rows.bytes.readUInt32LE(at);
    const valueEnd = keyEnd + rows.bytes.readUInt32LE(at + 4);
    yield { key: rows.bytes.subarray(at + 8, keyEnd), value: rows.bytes.subarray(keyEnd, valueEnd) };
    at = valueEnd;
  }
}
