// Writing, checking and splitting whole record streams.
import t from "tap";
import { crc32c } from "../../src/native/checksum.ts";
import { checkRecords, encodeRecords, recordBytes, splitRecords } from "../../src/native/records.ts";
import { fill } from "./support.ts";

t.test("a record, byte by byte", async (t) => {
  const record = encodeRecords(0x0102030405060708n, [Uint8Array.of(1, 2, 3, 4, 5)]);
  t.equal(record.length, 32);
  t.equal(record.subarray(0, 20).toString("hex"), "0500000000000000" + "0807060504030201" + "00000000");
  t.equal(record.readUInt32LE(20), crc32c(record.subarray(24, 29), crc32c(record.subarray(0, 20))));
  t.equal(record.subarray(24).toString("hex"), "0102030405000000");
});

t.test("there and back", async (t) => {
  const payloads = [fill(0), fill(1), fill(7), fill(8), fill(9), fill(5000)];
  const bytes = encodeRecords(9n, payloads);
  t.equal(
    bytes.length,
    payloads.reduce((sum, payload) => sum + recordBytes(payload.length), 0),
  );
  t.same(checkRecords(bytes, 9n), { count: 6, lastId: 14n, error: null });
  t.same(
    splitRecords(bytes),
    payloads.map((payload, index) => ({ id: 9n + BigInt(index), payload })),
  );
  t.same(encodeRecords(1n, []), Buffer.alloc(0));
  t.same(checkRecords(Buffer.alloc(0), 1n), { count: 0, lastId: 0n, error: null });
  t.same(splitRecords(Buffer.alloc(0)), []);
});

t.test("what checkRecords finds", async (t) => {
  const good = encodeRecords(9n, [fill(10), fill(11)]);
  const at = recordBytes(10);
  const cases: [number, RegExp][] = [
    [at + 7, /beyond/],
    [at + 2, /cut short/],
    [at + 8, /id does not follow/],
    [at + 16, /flags/],
    [at + 20, /checksum/],
    [at + 30, /checksum/],
    [good.length - 1, /padding/],
  ];
  for (const [spot, error] of cases) {
    const bytes = Buffer.from(good);
    bytes.writeUInt8(bytes.readUInt8(spot) ^ 1, spot);
    t.match(checkRecords(bytes, 9n), { count: 1, lastId: 9n, error });
  }
  t.match(checkRecords(good, 8n), { count: 0, lastId: 0n, error: /id does not follow/ });
  t.match(checkRecords(good.subarray(0, -1), 9n), { count: 1, error: /cut short/ });
  t.match(checkRecords(good.subarray(0, at + 5), 9n), { count: 1, error: /header is cut short/ });
  t.match(checkRecords(encodeRecords(0n, [fill(1)]), 0n), { count: 0, error: /id/ });
});

t.test("splitRecords refuses what is cut short", async (t) => {
  const bytes = encodeRecords(1n, [fill(10), fill(11)]);
  for (const size of [1, 23, 24, 39, bytes.length - 1]) {
    t.throws(() => splitRecords(bytes.subarray(0, size)), RangeError, String(size));
  }
  t.throws(() => splitRecords(Buffer.alloc(24, 0xff)), RangeError);
});
