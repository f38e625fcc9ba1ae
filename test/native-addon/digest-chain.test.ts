// The digest chain against node:crypto, and its queue.
import fc from "fast-check";
import t from "tap";
import { createDigestChain } from "../../src/native/digest-chain.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { chainReference, fill } from "./support.ts";

const START = { id: 41n, digest: fill(32, 9) };

/** The chain's digests after START, by id. */
function reference(payloads: readonly Buffer[]): Map<bigint, Buffer> {
  const digests = new Map([[START.id, START.digest]]);
  let digest = START.digest;
  for (const [index, payload] of payloads.entries()) {
    digest = chainReference(digest, START.id + 1n + BigInt(index), payload);
    digests.set(START.id + 1n + BigInt(index), digest);
  }
  return digests;
}

t.test("starts where it is told", async (t) => {
  const chain = createDigestChain(START);
  t.equal(chain.id, 41n);
  t.same(chain.digest, START.digest);
  t.same(await chain.advance([]), START);
  chain.digest.fill(0);
  t.same(chain.digest, START.digest, "a copy");
  t.throws(() => createDigestChain({ id: 1n, digest: Buffer.alloc(31) }), RangeError);
});

t.test("any events, cut anywhere, in any calls", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.nat(40), fc.nat(700), fc.nat(5000)), { maxLength: 12 }),
      fc.array(fc.nat(20_000), { maxLength: 10 }),
      fc.nat(3),
      async (lengths, cuts, partsACall) => {
        const payloads = lengths.map((length, index) => fill(length, index + 1));
        const stream = encodeRecords(START.id + 1n, payloads);
        const places = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
        const parts = places.slice(1).map((place, index) => stream.subarray(places[index], place));
        const chain = createDigestChain(START);
        const calls = [];
        for (let at = 0; at < parts.length; at += partsACall + 1) {
          calls.push(chain.advance(parts.slice(at, at + partsACall + 1)));
        }
        const expected = reference(payloads);
        for (const pair of await Promise.all(calls)) {
          if (expected.get(pair.id)?.equals(pair.digest) !== true) {
            return false;
          }
        }
        return chain.id === START.id + BigInt(lengths.length) && expected.get(chain.id)?.equals(chain.digest) === true;
      },
    ),
    { numRuns: 200 },
  );
  t.pass();
});

t.test("stops at an event and goes on from there", async (t) => {
  const payloads = [fill(10), fill(20), fill(30), fill(40)];
  const expected = reference(payloads);
  const stream = encodeRecords(42n, payloads);
  const chain = createDigestChain(START);
  t.same(await chain.advance([stream.subarray(0, 100), stream.subarray(100)], 43n), { id: 43n, digest: expected.get(43n) });
  t.same(await chain.advance([fill(50)], 43n), { id: 43n, digest: expected.get(43n) }, "what follows is not even looked at");
  t.same(await chain.advance([encodeRecords(44n, payloads.slice(2))]), { id: 45n, digest: expected.get(45n) });
});

t.test("the beginning of a later event is forgotten when stopping before it", async (t) => {
  const payloads = [fill(10), fill(20)];
  const stream = encodeRecords(42n, payloads);
  const second = encodeRecords(43n, payloads.slice(1));
  for (const extra of [10, 30]) {
    const chain = createDigestChain(START);
    await chain.advance([stream.subarray(0, 40 + extra)]);
    t.equal((await chain.advance([stream.subarray(40 + extra)], 42n)).id, 42n);
    t.same(await chain.advance([second]), { id: 43n, digest: reference(payloads).get(43n) });
  }
});

t.test("nonsense is refused, and then everything", async (t) => {
  const good = encodeRecords(42n, [fill(10)]);
  const after = reference([fill(10)]).get(42n);
  const spoiled = (spoil: (record: Buffer) => void) => {
    const record = encodeRecords(43n, [fill(9)]);
    spoil(record);
    return record;
  };
  const cases: [Buffer, RegExp][] = [
    [encodeRecords(44n, [fill(1)]), /does not follow/],
    [encodeRecords(42n, [fill(1)]), /does not follow/],
    [spoiled((record) => record.writeUInt32LE(1, 16)), /flags/],
    [spoiled((record) => record.fill(0xff, 0, 8)), /length/],
    [spoiled((record) => record.writeUInt8(1, 39)), /padding/],
  ];
  for (const [bad, message] of cases) {
    const chain = createDigestChain(START);
    const outcomes = await Promise.allSettled([chain.advance([good]), chain.advance([bad]), chain.advance([]), chain.advance([])]);
    t.same(
      outcomes.map((outcome) => outcome.status),
      ["fulfilled", "rejected", "rejected", "rejected"],
    );
    await t.rejects(chain.advance([]), message);
    await t.rejects(chain.advance([]), /after event 42/);
    t.same([chain.id, chain.digest], [42n, after], "it stays at the last whole event");
  }
  await t.rejects(createDigestChain(START).advance(["text" as unknown as Buffer]), Error);
});

t.test("it works beside the event loop", async (t) => {
  const chain = createDigestChain(START);
  // Work for a good part of a second, all of it in one piece of memory: no loaded machine keeps the loop still for so long.
  const pieces = 12;
  const piece = Buffer.alloc(16 << 20, 1);
  const head = encodeRecords(42n, [Buffer.alloc(0)]);
  head.writeBigUInt64LE(BigInt(pieces * piece.length), 0);
  let turns = 0;
  let done = false;
  const turning = (async () => {
    while (!done) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
  })();
  const startMs = performance.now();
  const advancing = chain.advance([head, ...Array.from({ length: pieces }, () => piece)]);
  const calledMs = performance.now() - startMs;
  t.equal((await advancing).id, 42n);
  t.ok(calledMs < (performance.now() - startMs) / 2, "the call does not wait for the work");
  done = true;
  await turning;
  t.ok(turns > 10, `${turns} turns`);
});

t.test("many calls that nobody waits for", async (t) => {
  const payloads = Array.from({ length: 2000 }, (_, index) => fill(100, index));
  const expected = reference(payloads);
  const stream = encodeRecords(42n, payloads);
  const chain = createDigestChain(START);
  const calls = payloads.map((_, index) => chain.advance([stream.subarray(index * 128, index * 128 + 128)]));
  const pairs = await Promise.all(calls);
  t.ok(pairs.every((pair, index) => pair.id === 42n + BigInt(index) && expected.get(pair.id)?.equals(pair.digest) === true));
});
