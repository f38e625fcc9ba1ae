// The assembler's rules, one by one.
import t from "tap";
import { AssemblerStatus, createAssembler } from "../../src/native/assembler.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { eventsOf, fill, newAssembler, OPTIONS, takeAll, takeRuns } from "./support.ts";

const { OK, BAD_RECORD, GAP, TOO_LARGE, BAD_ID } = AssemblerStatus;

/** A record with a field overwritten. */
function spoiled(id: bigint, payloadBytes: number, spoil: (record: Buffer) => void): Buffer {
  const record = encodeRecords(id, [fill(payloadBytes)]);
  spoil(record);
  return record;
}

t.test("one record", async (t) => {
  const assembler = newAssembler();
  const record = encodeRecords(7n, [fill(500)]);
  t.equal(assembler.take(), null);
  t.equal(assembler.push(record), OK);
  t.ok(assembler.heldBytes >= record.length);
  t.same(takeRuns(assembler), [{ firstId: 7n, lastId: 7n, count: 1, bytes: record }]);
  t.equal(assembler.take(), null);
  t.equal(assembler.heldBytes, 0);
  t.equal(assembler.completedBytes, BigInt(record.length));
  t.equal(assembler.completedCount, 1n);
});

t.test("empty chunks and empty events", async (t) => {
  const assembler = newAssembler();
  t.equal(assembler.push(Buffer.alloc(0)), OK);
  const stream = encodeRecords(1n, [Buffer.alloc(0), Buffer.alloc(0)]);
  t.equal(assembler.push(stream), OK);
  t.same(takeRuns(assembler), [{ firstId: 1n, lastId: 2n, count: 2, bytes: stream }]);
});

t.test("the bytes taken are not the bytes pushed", async (t) => {
  const assembler = newAssembler();
  for (const size of [500, 60_000]) {
    const record = encodeRecords(1n, [fill(size)]);
    const chunk = Buffer.from(record);
    assembler.push(chunk);
    chunk.fill(0);
    t.same(takeRuns(assembler)[0]?.bytes, record);
  }
});

t.test("a record half way", async (t) => {
  const assembler = newAssembler();
  const stream = encodeRecords(1n, [fill(100), fill(40_000, 2)]);
  t.ok(assembler.atBoundary);
  t.equal(assembler.push(stream.subarray(0, 10)), OK);
  t.notOk(assembler.atBoundary);
  t.equal(assembler.take(), null);
  t.throws(() => assembler.expect(1n), /half way/);
  t.equal(assembler.push(stream.subarray(10, 20_000)), OK);
  t.equal(takeRuns(assembler).length, 1, "the first record");
  t.notOk(assembler.atBoundary);
  t.ok(assembler.heldBytes > 0, "the tail was moved and is kept");
  t.equal(assembler.push(stream.subarray(20_000)), OK);
  t.ok(assembler.atBoundary);
  t.same(takeRuns(assembler), [{ firstId: 2n, lastId: 2n, count: 1, bytes: stream.subarray(128) }]);
  t.equal(assembler.heldBytes, 0);
});

t.test("what was announced is not reserved", async (t) => {
  const assembler = newAssembler({ pieceBytes: 1 << 30 });
  const header = spoiled(1n, 0, (record) => record.writeBigUInt64LE(1n << 29n, 0));
  t.equal(assembler.push(header), OK);
  t.ok(assembler.heldBytes < 1000, String(assembler.heldBytes));
  assembler.push(fill(100_000));
  t.ok(assembler.heldBytes < 300_000, String(assembler.heldBytes));
  const begun = newAssembler({ pieceBytes: 1 << 30 });
  t.equal(begun.beginEvent(1n, 1 << 29), OK);
  t.ok(begun.heldBytes < 10_000, String(begun.heldBytes));
});

t.test("ids", async (t) => {
  const assembler = newAssembler();
  assembler.expect(10n);
  const first = encodeRecords(10n, [fill(8), fill(8)]);
  const again = encodeRecords(11n, [fill(8), fill(9)]);
  const lower = encodeRecords(3n, [fill(1)]);
  t.equal(assembler.push(Buffer.concat([first, again, lower])), OK);
  t.same(
    takeRuns(assembler).map(({ firstId, lastId, count }) => [firstId, lastId, count]),
    [
      [10n, 11n, 2],
      [11n, 12n, 2],
      [3n, 3n, 1],
    ],
    "an id that falls back closes the run",
  );
  t.equal(assembler.push(encodeRecords(5n, [fill(1)])), GAP);
  t.equal(assembler.failedId, 5n);
  t.notOk(assembler.atBoundary);
  t.equal(assembler.push(encodeRecords(4n, [fill(1)])), GAP, "a failure is final");
  t.throws(() => assembler.expect(4n), /failure/);
});

t.test("a run is contiguous also after expect", async (t) => {
  const assembler = newAssembler();
  assembler.push(encodeRecords(1n, [fill(8)]));
  assembler.expect(0n);
  t.equal(assembler.push(encodeRecords(100n, [fill(8), fill(8)])), OK);
  assembler.expect(200n);
  t.equal(assembler.push(encodeRecords(200n, [fill(8)])), OK);
  t.same(
    takeRuns(assembler).map(({ firstId, lastId }) => [firstId, lastId]),
    [
      [1n, 1n],
      [100n, 101n],
      [200n, 200n],
    ],
  );
  t.throws(() => assembler.expect(-1n), RangeError);
  t.throws(() => assembler.expect(1n << 63n), RangeError);
});

t.test("the greatest id", async (t) => {
  const greatest = (1n << 63n) - 1n;
  const assembler = newAssembler();
  t.equal(assembler.push(encodeRecords(greatest, [fill(8)])), OK);
  t.equal(takeRuns(assembler)[0]?.lastId, greatest);
  t.equal(assembler.push(encodeRecords(greatest + 1n, [fill(8)])), BAD_ID);
  t.equal(assembler.failedId, 1n << 63n);
});

t.test("records that are refused", async (t) => {
  const cases: [string, Buffer, number, bigint][] = [
    ["id 0", encodeRecords(0n, [fill(8)]), BAD_ID, 0n],
    ["id 2^64 - 1", encodeRecords((1n << 64n) - 1n, [fill(8)]), BAD_ID, (1n << 64n) - 1n],
    ["flags", spoiled(5n, 8, (record) => record.writeUInt32LE(1, 16)), BAD_RECORD, 5n],
    ["length 2^64 - 1", spoiled(5n, 8, (record) => record.fill(0xff, 0, 8)), TOO_LARGE, 5n],
    ["length above the limit", encodeRecords(5n, [fill(1001)]), TOO_LARGE, 5n],
    ["checksum", spoiled(5n, 8, (record) => record.writeUInt32LE(0, 20)), BAD_RECORD, 5n],
    ["payload", spoiled(5n, 8, (record) => record.writeUInt8(1, 24)), BAD_RECORD, 5n],
    ["padding", spoiled(5n, 9, (record) => record.writeUInt8(1, 39)), BAD_RECORD, 5n],
    ["empty with a wrong checksum", spoiled(5n, 0, (record) => record.writeUInt32LE(1, 20)), BAD_RECORD, 5n],
  ];
  const good = encodeRecords(4n, [fill(10)]);
  for (const [name, bad, status, failedId] of cases) {
    const assembler = newAssembler({ eventBytesMax: 1000 });
    t.equal(assembler.push(Buffer.concat([good, bad, encodeRecords(6n, [fill(5)])])), status, name);
    t.equal(assembler.failedId, failedId, name);
    t.same(takeRuns(assembler), [{ firstId: 4n, lastId: 4n, count: 1, bytes: good }], `${name}: what was complete is given`);
    t.equal(assembler.heldBytes, 0, name);
    t.equal(assembler.completedCount, 1n, name);
    t.equal(assembler.push(good), status, name);
    t.equal(assembler.take(), null, name);
  }
  const exact = newAssembler({ eventBytesMax: 1000 });
  t.equal(exact.push(encodeRecords(1n, [fill(1000)])), OK);
});

t.test("a large record goes out in pieces as its bytes arrive", async (t) => {
  const pieceBytes = 4096;
  for (const payloadBytes of [5000, 4096 * 3 - 24, 4096 * 3 - 23, 4096 - 23, 100_000]) {
    const assembler = newAssembler({ pieceBytes });
    const payloads = [fill(50), fill(payloadBytes, 5), fill(60)];
    const stream = encodeRecords(1n, payloads);
    const items = [];
    for (let at = 0; at < stream.length; at += 1000) {
      t.equal(assembler.push(stream.subarray(at, at + 1000)), OK);
      items.push(...takeAll(assembler));
      if (assembler.heldBytes > 3 * pieceBytes) {
        t.fail(`${assembler.heldBytes} bytes are held of a record of ${payloadBytes}`);
      }
    }
    t.same(
      items.filter((item) => "large" in item).map((item) => item.large.index),
      Array.from({ length: Math.ceil((24 + payloadBytes) / pieceBytes) }, (_, index) => index),
      "in order",
    );
    t.same(
      eventsOf(items, pieceBytes).map((event) => event.payload),
      payloads,
    );
    t.equal(assembler.heldBytes, 0);
  }
});

t.test("a large record with a wrong checksum never ends", async (t) => {
  const assembler = newAssembler({ pieceBytes: 4096 });
  const stream = Buffer.concat([encodeRecords(1n, [fill(50)]), spoiled(2n, 20_000, (record) => record.writeUInt8(1, 19_999))]);
  t.equal(assembler.push(stream.subarray(0, 9000)), OK);
  t.equal(takeAll(assembler).length, 3, "a run and two pieces");
  t.equal(assembler.push(stream.subarray(9000)), BAD_RECORD);
  t.equal(assembler.failedId, 2n);
  t.same(takeAll(assembler), [], "pieces that waited are dropped");
  t.equal(assembler.heldBytes, 0);
  t.equal(assembler.completedCount, 1n);
});

t.test("runs are closed at runBytes", async (t) => {
  const assembler = newAssembler({ runBytes: 4096 });
  const stream = encodeRecords(
    1n,
    Array.from({ length: 100 }, (_, index) => fill(488, index)),
  );
  assembler.push(stream);
  const runs = takeRuns(assembler);
  t.same(
    runs.map((run) => run.bytes.length),
    [...Array.from({ length: 12 }, () => 4096), 2048],
  );
  t.same(Buffer.concat(runs.map((run) => run.bytes)), stream);
});

t.test("a run is closed before a long record that would take it over runBytes", async (t) => {
  const assembler = newAssembler({ runBytes: 4096 });
  const stream = encodeRecords(1n, [fill(1000), fill(1000), fill(3000), fill(5000), fill(100), fill(3972), fill(1), fill(100)]);
  for (let at = 0; at < stream.length; at += 700) {
    assembler.push(stream.subarray(at, at + 700));
  }
  const runs = takeRuns(assembler);
  t.same(
    runs.map(({ firstId, count }) => [firstId, count]),
    [
      [1n, 2],
      [3n, 1],
      [4n, 1],
      [5n, 1],
      [6n, 3],
    ],
  );
  t.same(Buffer.concat(runs.map((run) => run.bytes)), stream);
});

t.test("protocol 0: events without a checksum", async (t) => {
  const assembler = newAssembler({ pieceBytes: 4096 });
  const payloads = [fill(13), Buffer.alloc(0), fill(4072), fill(4073), fill(20_000), fill(8)];
  const items = [];
  const order: number[] = [];
  for (const [index, payload] of payloads.entries()) {
    t.equal(assembler.beginEvent(BigInt(index + 1), payload.length), OK);
    t.equal(assembler.atBoundary, payload.length === 0);
    for (let at = 0; at < payload.length; at += 777) {
      t.equal(assembler.pushPayload(payload.subarray(at, at + 777)), OK);
      items.push(...takeAll(assembler));
    }
    t.ok(assembler.atBoundary);
  }
  items.push(...takeAll(assembler));
  for (const item of items) {
    if ("large" in item && item.large.id === 5n) {
      order.push(item.large.index);
      t.equal(item.large.last, item.large.index === 0, "piece 0 holds the checksum and comes last");
    }
  }
  t.same(order, [1, 2, 3, 4, 0]);
  t.same(
    eventsOf(items, 4096).map((event) => event.payload),
    payloads,
  );
  const bytes = Buffer.concat(items.filter((item) => "run" in item).map((item) => item.run.bytes));
  t.ok(
    bytes.equals(Buffer.concat([encodeRecords(1n, payloads.slice(0, 3)), encodeRecords(6n, payloads.slice(5))])),
    "as a client frames them",
  );
  t.equal(assembler.heldBytes, 0);
  t.equal(assembler.completedBytes, BigInt(encodeRecords(1n, payloads).length));
});

t.test("protocol 0: what is refused", async (t) => {
  const started = () => {
    const assembler = newAssembler({ eventBytesMax: 1000 });
    assembler.expect(5n);
    return assembler;
  };
  t.equal(started().beginEvent(6n, 10), GAP);
  t.equal(started().beginEvent(5n, 1001), TOO_LARGE);
  t.equal(started().beginEvent(0n, 10), BAD_ID);
  t.equal(started().beginEvent(1n << 63n, 10), BAD_ID);
  t.equal(started().beginEvent((1n << 64n) + 5n, 10), BAD_ID);
  t.equal(started().beginEvent(-1n, 10), BAD_ID);
  t.equal(started().pushPayload(fill(1)), BAD_RECORD, "no event was begun");
  t.equal(started().pushPayload(Buffer.alloc(0)), OK);
  t.throws(() => started().beginEvent(5n, -1), RangeError);
  t.throws(() => started().beginEvent(5n, 1.5), RangeError);
  t.throws(() => started().beginEvent(5n, Number.NaN), RangeError);
  for (const misuse of ["more payload than announced", "a second event", "a record"] as const) {
    const assembler = started();
    t.equal(assembler.beginEvent(5n, 10), OK);
    t.equal(assembler.pushPayload(fill(9)), OK);
    t.notOk(assembler.atBoundary);
    const status =
      misuse === "more payload than announced"
        ? assembler.pushPayload(Buffer.alloc(2))
        : misuse === "a second event"
          ? assembler.beginEvent(6n, 1)
          : assembler.push(encodeRecords(6n, [fill(1)]));
    t.equal(status, BAD_RECORD, misuse);
    t.same(takeAll(assembler), [], misuse);
    t.equal(assembler.heldBytes, 0, misuse);
  }
});

t.test("options and arguments", async (t) => {
  for (const bad of [
    { runBytes: 0 },
    { runBytes: 1.5 },
    { pieceBytes: 24 },
    { pieceBytes: 100 },
    { eventBytesMax: 2 ** 32 },
    { eventBytesMax: -1 },
  ]) {
    t.throws(() => createAssembler({ ...OPTIONS, ...bad }), RangeError, JSON.stringify(bad));
  }
  t.throws(() => newAssembler().push("text" as unknown as Buffer), TypeError);
  t.throws(() => newAssembler().pushPayload(undefined as unknown as Buffer), TypeError);
});

t.test("repeating one event over and over costs no more than its bytes", async (t) => {
  const record = encodeRecords(1n, [Buffer.alloc(0)]);
  const chunk = Buffer.concat(Array.from({ length: 40_000 }, () => record));
  const assembler = newAssembler();
  const startMs = performance.now();
  t.equal(assembler.push(chunk), OK);
  t.ok(assembler.heldBytes < chunk.length * 12, String(assembler.heldBytes));
  t.equal(takeRuns(assembler).length, 40_000);
  t.ok(performance.now() - startMs < 2000);
  t.equal(assembler.heldBytes, 0);
});

t.test("V8 knows what external buffers hold", async (t) => {
  const assembler = newAssembler();
  const before = process.memoryUsage().external;
  const kept: Buffer[] = [];
  const stream = encodeRecords(1n, [fill(60_000)]);
  for (let i = 0; i < 100; i++) {
    assembler.expect(1n);
    assembler.push(stream);
    kept.push(...takeRuns(assembler).map((run) => run.bytes));
  }
  const grown = process.memoryUsage().external - before;
  t.ok(grown > 5_000_000 && grown < 13_000_000, String(grown));
  t.ok(kept.every((bytes) => bytes.equals(stream)));
});
