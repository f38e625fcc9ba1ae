// The assembler under every stream: cuts make no difference, and no damage becomes an event.
import fc from "fast-check";
import t from "tap";
import { encodeRecords } from "../../src/native/records.ts";
import { eventsOf, fill, newAssembler, pushCut, takeAll } from "./support.ts";

const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(600), fc.nat(9000)), { minLength: 1, maxLength: 12 });
const cuts = fc.array(fc.nat(30_000), { maxLength: 12 });
const limits = fc.record({
  runBytes: fc.integer({ min: 1, max: 5000 }),
  pieceBytes: fc.integer({ min: 4, max: 300 }).map((value) => value * 8),
});

const payloadsOf = (lengths: readonly number[]) => lengths.map((length, index) => fill(length, index + 1));

t.test("any events, cut anywhere, come out as they went in", async (t) => {
  fc.assert(
    fc.property(sizes, cuts, limits, fc.bigInt(1n, 1n << 62n), fc.nat(5), (lengths, at, options, firstId, takeEvery) => {
      const payloads = payloadsOf(lengths);
      const stream = encodeRecords(firstId, payloads);
      const assembler = newAssembler(options);
      assembler.expect(firstId);
      const items = [];
      let from = 0;
      for (const [index, cut] of [...at.map((value) => value % (stream.length + 1)).sort((a, b) => a - b), stream.length].entries()) {
        if (assembler.push(stream.subarray(from, cut)) !== 0) {
          return false;
        }
        from = cut;
        if (takeEvery > 0 && index % takeEvery === 0) {
          items.push(...takeAll(assembler));
        }
      }
      items.push(...takeAll(assembler));
      const events = eventsOf(items, options.pieceBytes);
      return (
        events.length === payloads.length &&
        events.every((event, index) => event.id === firstId + BigInt(index) && event.payload.equals(payloads[index] as Buffer)) &&
        assembler.atBoundary &&
        assembler.heldBytes === 0 &&
        assembler.completedBytes === BigInt(stream.length) &&
        assembler.completedCount === BigInt(payloads.length)
      );
    }),
    { numRuns: 1500 },
  );
  t.pass();
});

t.test("runs do not depend on the cuts", async (t) => {
  fc.assert(
    fc.property(sizes, cuts, limits, (lengths, at, options) => {
      const stream = encodeRecords(1n, payloadsOf(lengths));
      const whole = newAssembler(options);
      const cut = newAssembler(options);
      whole.push(stream);
      pushCut(cut, stream, at);
      const [a, b] = [takeAll(whole), takeAll(cut)];
      t.same(b, a);
      return true;
    }),
    { numRuns: 200 },
  );
});

t.test("protocol 0 gives the same stream as protocol 1", async (t) => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 3000 }), limits, (lengths, step, options) => {
      const payloads = payloadsOf(lengths);
      const assembler = newAssembler(options);
      for (const [index, payload] of payloads.entries()) {
        assembler.beginEvent(BigInt(index + 1), payload.length);
        for (let from = 0; from < payload.length; from += step) {
          if (assembler.pushPayload(payload.subarray(from, from + step)) !== 0) {
            return false;
          }
        }
      }
      const items = takeAll(assembler);
      const events = eventsOf(items, options.pieceBytes);
      const checked = newAssembler();
      // Everything put together again is a stream that the checking assembler accepts.
      return events.every((event, index) => event.payload.equals(payloads[index] as Buffer)) && checked.push(restream(items)) === 0;
    }),
    { numRuns: 500 },
  );
  t.pass();
});

/** The record stream that items stand for. */
function restream(items: ReturnType<typeof takeAll>): Buffer {
  const parts: Buffer[] = [];
  let pieces: Buffer[] = [];
  for (const item of items) {
    if ("run" in item) {
      parts.push(item.run.bytes);
      continue;
    }
    pieces[item.large.index] = item.large.bytes;
    if (item.large.last) {
      parts.push(...pieces);
      pieces = [];
    }
  }
  return Buffer.concat(parts);
}

t.test("one damaged byte never becomes an event", async (t) => {
  fc.assert(
    fc.property(sizes, cuts, limits, fc.nat(), fc.integer({ min: 1, max: 255 }), (lengths, at, options, where, flip) => {
      const payloads = payloadsOf(lengths);
      const stream = encodeRecords(1n, payloads);
      const spot = where % stream.length;
      stream.writeUInt8(stream.readUInt8(spot) ^ flip, spot);
      const assembler = newAssembler({ ...options, eventBytesMax: 100_000 });
      assembler.expect(1n);
      const status = pushCut(assembler, stream, at);
      const events = eventsOf(takeAll(assembler), options.pieceBytes);
      // A length may have become greater than what follows: then its record is still half way, which is no event either.
      const refused = [20, 21, 25, 27].includes(status) || (status === 0 && !assembler.atBoundary);
      return (
        refused &&
        events.length < payloads.length &&
        events.every(({ id, payload }, index) => id === BigInt(index + 1) && payload.equals(payloads[index] as Buffer))
      );
    }),
    { numRuns: 1500 },
  );
  t.pass();
});
