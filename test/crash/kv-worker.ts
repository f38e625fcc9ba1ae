// A process that commits numbered rows to an embedded store and says which were acknowledged, or checks what such a process left.
//
//   kv-worker append ENGINE DIR COUNT   checks the store, prints "at H", then each number after its commit; stops after COUNT or at "error CODE K ..."
//   kv-worker verify ENGINE DIR         prints "at H" if rows 1 to H are there, equal and alone; else fails
//
// "append" then reads numbers of further rows, one a line, and ends with its input.
import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { StoreError } from "../../src/store/errors.ts";
import { openJournal } from "../../src/store/journal.ts";
import type { Commit, Kv, Write } from "../../src/store/kv.ts";
import { openLmdb } from "../../src/store/lmdb.ts";
import { eachRow } from "../../src/store/rows.ts";

const heightKey = Buffer.from("height");

/** A log's blocks, as docs/schema.md has them: an engine may keep those elsewhere than small rows. */
const blocks = Buffer.from(`03020000000000000000000000000000000000000001${Buffer.from("b").toString("hex")}`, "hex");
const afterBlocks = Buffer.concat([blocks.subarray(0, -1), Buffer.from("c")]);
/** So many rows of another log come and go, so that whole files of it do. */
const passingRows = 40;
const passing = Buffer.from(`03020000000000000000000000000000000100000001${Buffer.from("p").toString("hex")}`, "hex");

function eventKey(n: number): Buffer {
  const id = Buffer.alloc(8);
  id.writeBigUInt64BE(BigInt(n));
  return Buffer.concat([blocks, id]);
}

function passingKey(n: number): Buffer {
  const rest = Buffer.alloc(20);
  rest.writeUInt32BE(n, 16);
  return Buffer.concat([passing, rest]);
}

/** Bytes that depend on the number alone: mostly small, some of many pages. */
function bytesOf(n: number): Buffer {
  const sizes = [500, 0, 37, 2100, 4096, 12_000, 500, 90_000];
  const value = Buffer.alloc(sizes[n % sizes.length] ?? 0, `${n}/`);
  return value;
}

function rowWrites(n: number): Write[] {
  const value = bytesOf(n);
  const cut = Math.floor(value.length / 3);
  return [
    { kind: "put", key: eventKey(n), value: [value.subarray(0, cut), value.subarray(cut)] },
    { kind: "put", key: heightKey, value: [Buffer.from(String(n))] },
    // Rows that come and go, so that pages are freed and used again.
    { kind: "delete-range", from: Buffer.from("scratch/"), to: Buffer.from(`scratch/${n % 7}`) },
    { kind: "put", key: Buffer.from(`scratch/${n % 10}`), value: [Buffer.alloc((n * 977) % 20_000)] },
    { kind: "put", key: passingKey(n), value: [Buffer.alloc((n * 991) % 20_000, `${n}`)] },
    ...passingAway(n),
  ];
}

/** Every so often all rows of the passing log go, in turns by themselves and with the whole log. */
function passingAway(n: number): Write[] {
  if (n % passingRows !== 0) return [];
  const from = n % (2 * passingRows) === 0 ? passing.subarray(0, -1) : passing;
  return [{ kind: "delete-range", from, to: passingKey(n) }];
}

/** Row `n`, on the condition that the row before it was the last. */
function rowCommit(n: number): Commit {
  return { checks: [{ key: heightKey, value: n === 1 ? null : Buffer.from(String(n - 1)) }], writes: rowWrites(n) };
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function heightOf(kv: Kv): Promise<number> {
  return Number((await kv.get(heightKey)) ?? 0);
}

/** Commits rows in groups of one to three; says so and stops at an error of the store. */
async function append(kv: Kv, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; ) {
    const group = Array.from({ length: Math.min(1 + (n % 3), to - n + 1) }, (_, i) => rowCommit(n + i));
    try {
      const outcomes = await kv.commit(group);
      assert.ok(outcomes.every((outcome) => outcome === "committed"));
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      say(`error ${error.code} ${n} ${error.message}`);
      return;
    }
    n += group.length;
    say(String(n - 1));
  }
}

async function verifyPassing(kv: Kv, height: number): Promise<void> {
  const { bytes, count, more } = await kv.range(passing, passingKey(2 ** 32 - 1), { limitBytes: 2 ** 30 });
  assert.ok(!more, "nothing is left out");
  const first = height - (height % passingRows);
  const expected = Array.from({ length: height - first + 1 }, (_, i) => first + i).filter((n) => n > 0);
  assert.equal(count, expected.length, "rows that passed away are gone, and the others are there");
  for (const [i, { key, value }] of [...eachRow({ bytes, count, more })].entries()) {
    const n = expected[i] ?? 0;
    assert.ok(key.equals(passingKey(n)) && value.equals(Buffer.alloc((n * 991) % 20_000, `${n}`)), `passing row ${n}`);
  }
}

async function verify(kv: Kv): Promise<number> {
  const height = await heightOf(kv);
  const rows = await kv.range(blocks, afterBlocks, { limitBytes: 2 ** 30 });
  assert.ok(!rows.more, "nothing is left out");
  let n = 0;
  for (const { key, value } of eachRow(rows)) {
    n++;
    assert.ok(key.equals(eventKey(n)), `row ${n} is missing`);
    assert.ok(value.equals(bytesOf(n)), `row ${n} has other bytes`);
  }
  assert.equal(n, height, "the rows end where the height says");
  await verifyPassing(kv, height);
  say(`at ${height}`);
  return height;
}

async function appendVerb(kv: Kv, count: number): Promise<void> {
  const start = await verify(kv);
  await append(kv, start + 1, start + count);
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const height = await heightOf(kv);
      say(`at ${height}`);
      await append(kv, height + 1, height + Number(line));
    } catch (error) {
      say(`error ${error instanceof StoreError ? error.code : error}`);
    }
  }
}

/** Of the journal so small that the base is written, and segments are used again, within a few rows. */
function openStore(engine: string, dir: string): Kv {
  const startedAt = "2026-01-01T00:00:00Z";
  if (engine === "lmdb") return openLmdb(dir, { startedAt });
  return openJournal(dir, { startedAt, overlayBytes: 256 * 1024, segmentBytes: 1024 * 1024, shipFileBytes: 512 * 1024 });
}

const [verb, engine = "", dir = "", count] = process.argv.slice(2);
const kv = openStore(engine, dir);
if (verb === "append") await appendVerb(kv, Number(count));
else await verify(kv);
await kv.close();
