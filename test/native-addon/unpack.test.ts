// Unpacking blocks: what is kept, what is dropped, and every check of a block and its records failing in turn.
import fc from "fast-check";
import t, { type Test } from "tap";
import { encodeRecords } from "../../src/native/records.ts";
import { type UnpackOptions, unpackBlocks } from "../../src/native/unpack.ts";
import { type BlockFields, fill, makeBlock, makeRows, SHIP } from "./support.ts";

const OPTIONS: UnpackOptions = { shipBytes: SHIP, kind: 1, log: 3, fromId: 1n, throughId: (1n << 63n) - 1n, nextId: 0n };
const HEADER_BYTES = 136;

const payload = (id: number) => fill((id * 37) % 200, id);
const payloads = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => payload(from + index));
const block = (from: number, to: number, change: Partial<BlockFields> = {}) => makeBlock(BigInt(from), payloads(from, to), change);
const stream = (from: number, to: number) => encodeRecords(BigInt(from), payloads(from, to));

/** Checks that exactly the events `from` to `to` (none when to < from) were given. */
async function expectEvents(t: Test, values: readonly Buffer[], options: Partial<UnpackOptions>, from: number, to: number, text = "") {
  const rows = makeRows(values);
  const found = await unpackBlocks(rows, { ...OPTIONS, ...options });
  const none = to < from;
  t.same(
    { firstId: found.firstId, lastId: found.lastId, count: found.count },
    { firstId: BigInt(none ? 0 : from), lastId: BigInt(none ? 0 : to), count: none ? 0 : to - from + 1 },
    text,
  );
  t.ok(found.bytes.equals(none ? Buffer.alloc(0) : stream(from, to)), `${text} bytes`);
  t.equal(found.bytes.buffer, rows.buffer, "in place");
  return found;
}

t.test("nothing", async (t) => {
  const found = await expectEvents(t, [], {}, 1, 0);
  t.match(found, { stop: "end", stopId: 0n, reason: "", manifest: null });
});

t.test("blocks become one stream", async (t) => {
  const values = [block(5, 9), block(10, 10), block(11, 40)];
  t.match(await expectEvents(t, values, { nextId: 5n }, 5, 40), { stop: "end", stopId: 0n, reason: "" });
  await expectEvents(t, values, { nextId: 0n }, 5, 40);
  await expectEvents(t, values, { nextId: 7n, fromId: 7n }, 7, 40, "from inside the first block");
  await expectEvents(t, values, { fromId: 11n }, 11, 40, "whole blocks are dropped");
  await expectEvents(t, values, { fromId: 41n }, 41, 40, "all of it");
  t.match(await expectEvents(t, values, { throughId: 20n }, 5, 20), { stop: "end" }, "through inside a block");
  t.match(await expectEvents(t, values, { throughId: 10n }, 5, 10), { stop: "end" }, "through the end of a block");
  await expectEvents(t, values, { fromId: 8n, throughId: 8n }, 8, 8);
  t.match(await expectEvents(t, values, { throughId: 4n }, 5, 4), { stop: "end", stopId: 0n }, "nothing is that low");
});

t.test("blocks above the last wanted event are not looked at", async (t) => {
  const bad = block(11, 12, { badHeaderCrc: true });
  t.match(await expectEvents(t, [block(5, 10), bad], { throughId: 10n }, 5, 10), { stop: "end" });
  t.match(await expectEvents(t, [block(5, 10), block(20, 21)], { throughId: 10n }, 5, 10), { stop: "end" }, "nor is a gap up there");
  t.match(await expectEvents(t, [block(5, 10), block(20, 21)], { throughId: 11n }, 5, 10), { stop: "gap", stopId: 20n });
});

t.test("gaps and overlaps", async (t) => {
  t.match(await expectEvents(t, [block(5, 9), block(11, 12)], {}, 5, 9), { stop: "gap", stopId: 11n, reason: /continue/ });
  t.match(await expectEvents(t, [block(5, 9)], { nextId: 4n }, 5, 4), { stop: "gap", stopId: 5n });
  t.match(await expectEvents(t, [block(5, 9)], { nextId: 5n }, 5, 9), { stop: "end" });
  t.match(await expectEvents(t, [block(5, 9)], { nextId: 6n }, 5, 9), { stop: "end" });
  t.match(await expectEvents(t, [block(5, 9), block(9, 12)], {}, 5, 9), { stop: "damaged", stopId: 9n, reason: /overlap/ });
});

t.test("a manifest", async (t) => {
  const manifest = makeBlock(10n, [], { flags: 1, count: 3n, bytes: 3_000_000n, pieces: 4, claim: 9n });
  const found = await expectEvents(t, [block(5, 9), manifest, block(13, 14)], {}, 5, 9);
  t.match(found, { stop: "manifest", stopId: 10n, reason: "" });
  t.same(found.manifest, manifest);
  const first = await expectEvents(t, [manifest], { nextId: 11n }, 1, 0);
  t.match(first, { stop: "manifest", stopId: 10n });
  t.match(await expectEvents(t, [block(5, 8), manifest], {}, 5, 8), { stop: "gap", stopId: 10n, manifest: null });
  t.match(await expectEvents(t, [block(5, 9), manifest], { throughId: 9n }, 5, 9), { stop: "end", manifest: null });
  t.match(await expectEvents(t, [Buffer.concat([manifest, Buffer.alloc(8)])], {}, 1, 0), { stop: "damaged", reason: /after its header/ });
});

t.test("every header field", async (t) => {
  const other = Buffer.from(SHIP);
  other.writeUInt8(0xff, 15);
  const cases: [Partial<BlockFields>, RegExp][] = [
    [{ magic: 0x4b424754 }, /magic/],
    [{ version: 2 }, /version/],
    [{ headerBytes: 128 }, /header size/],
    [{ badHeaderCrc: true }, /header checksum/],
    [{ flags: 2 }, /reserved/],
    [{ poke: [[26, 1]] }, /reserved/],
    [{ poke: [[27, 1]] }, /reserved/],
    [{ poke: [[116, 1]] }, /reserved/],
    [{ poke: [[131, 1]] }, /reserved/],
    [{ ship: other }, /another ship/],
    [{ kind: 2 }, /another kind/],
    [{ log: 4 }, /another log/],
    [{ firstId: 0n }, /impossible/],
    [{ firstId: 1n << 63n }, /impossible/],
    [{ count: 0n }, /impossible/],
    [{ count: 1n << 63n }, /impossible/],
    [{ pieces: 1 }, /names pieces/],
    [{ claim: 1n }, /names pieces/],
  ];
  for (const [change, reason] of cases) {
    const found = await expectEvents(t, [block(5, 9), block(10, 12, change)], {}, 5, 9, String(reason));
    t.match(found, { stop: "damaged", stopId: 10n, reason });
    t.match(await expectEvents(t, [block(10, 12, change)], { nextId: 10n }, 1, 0), { stop: "damaged", stopId: 10n, reason });
  }
  t.match(await expectEvents(t, [block(5, 9), Buffer.alloc(135)], {}, 5, 9), { stop: "damaged", stopId: 10n, reason: /cut short/ });
});

t.test("header and records disagree", async (t) => {
  const cases: [Partial<BlockFields>, number, RegExp][] = [
    [{ count: 2n }, 11, /after its last record/],
    [{ count: 4n }, 12, /fewer records/],
    [{ bytes: 8n }, 12, /not as long/],
    [{ firstId: 9n }, 9, /overlap/],
  ];
  for (const [change, last, reason] of cases) {
    const found = await expectEvents(t, [block(5, 9), block(10, 12, change), block(13, 14)], {}, 5, last, String(reason));
    t.match(found, { stop: "damaged", stopId: BigInt(last === 9 ? 9 : last + 1), reason });
  }
  const shifted = block(10, 12, { firstId: 11n });
  t.match(await expectEvents(t, [shifted], {}, 1, 0), { stop: "damaged", stopId: 11n, reason: /id does not follow/ });
});

t.test("every field of a record", async (t) => {
  const at = HEADER_BYTES + stream(10, 10).length;
  const cases: [number, RegExp][] = [
    [0, /padding|checksum/],
    [3, /cut short/],
    [7, /beyond/],
    [8, /id does not follow/],
    [15, /id does not follow/],
    [16, /flags/],
    [20, /checksum/],
    [24, /checksum/],
    [24 + payload(11).length, /padding/],
  ];
  for (const [offset, reason] of cases) {
    const value = block(10, 12);
    value.writeUInt8(value.readUInt8(at + offset) ^ 1, at + offset);
    t.match(await expectEvents(t, [block(5, 9), value, block(13, 14)], {}, 5, 10, `byte ${offset}`), {
      stop: "damaged",
      stopId: 11n,
      reason,
    });
    t.match(await expectEvents(t, [value], { fromId: 20n }, 1, 0), { stop: "damaged", stopId: 11n }, "dropped records are checked too");
  }
  for (const cut of [1, 8, 24, 100]) {
    const value = block(10, 12).subarray(0, -cut);
    t.match(await expectEvents(t, [value], { throughId: 10n }, 10, 10), { stop: "damaged" }, "also those after the last wanted one");
  }
});

t.test("rows that are cut short", async (t) => {
  const rows = makeRows([block(5, 9), block(10, 12)]);
  const first = makeRows([block(5, 9)]).length;
  for (const size of [first + 1, first + 8, first + 100, rows.length - 1]) {
    const found = await unpackBlocks(Buffer.from(rows.subarray(0, size)), OPTIONS);
    t.match(found, { count: 5, lastId: 9n, stop: "damaged", stopId: 10n, reason: "the rows are cut short" });
  }
});

t.test("one damaged byte never becomes an event", async (t) => {
  const good = makeRows([block(5, 9), block(10, 10), block(11, 16)]);
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (spot, flip) => {
      const rows = Buffer.from(good);
      rows.writeUInt8(rows.readUInt8(spot) ^ flip, spot);
      const found = await unpackBlocks(rows, OPTIONS);
      // Keys are not looked at, so a changed byte there changes nothing.
      return (
        found.bytes.equals(found.count === 0 ? Buffer.alloc(0) : stream(5, 4 + found.count)) &&
        (found.count === 12) === (found.stop === "end")
      );
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

t.test("arguments", async (t) => {
  await t.rejects(unpackBlocks(Buffer.alloc(0), { ...OPTIONS, shipBytes: Buffer.alloc(8) }), RangeError);
});
