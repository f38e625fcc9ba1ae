// The text parser under anything: wherever the bytes are cut it says the same, what was written is read back, and nothing else passes.
import fc from "fast-check";
import t from "tap";
import { encodeEventHead, encodeText, TEXT_BLOCK_MAX, TextError, TextReader } from "../../src/wire/text.ts";

const seed = Number(process.env.SEGURO_SEED ?? process.pid);
const limits = { seed, numRuns: 20_000, interruptAfterTimeLimit: 5_000, markInterruptAsFailure: false };
t.comment(`seed ${seed}`);

type Said =
  | { readonly block: string }
  | { readonly verb: "WRITE" | "EVENT"; readonly id: bigint; readonly body: string; readonly isWhole: boolean };

interface Reading {
  readonly said: readonly Said[];
  readonly midway: boolean;
  /** What `push` gave back after `stop`. */
  readonly left: string;
  readonly failed: string | null;
}

/** Reads the chunks as a session does; stops at the `stopAt`th block. Whatever is wrong must be a TextError. */
function read(chunks: readonly Buffer[], stopAt = Number.POSITIVE_INFINITY): Reading {
  const said: Said[] = [];
  let event: { verb: "WRITE" | "EVENT"; id: bigint; lengthBytes: number; data: Buffer[] } | null = null;
  let blocks = 0;
  const endEvent = (isWhole: boolean): void => {
    if (event !== null) {
      const body = Buffer.concat(event.data);
      if (body.length > event.lengthBytes || (isWhole && body.length !== event.lengthBytes)) {
        throw new Error(`${body.length} bytes of an event of ${event.lengthBytes}`);
      }
      said.push({ verb: event.verb, id: event.id, body: body.toString("hex"), isWhole });
      event = null;
    }
  };
  const reader = new TextReader({
    block: (text) => {
      if (event !== null || text.length >= TEXT_BLOCK_MAX) {
        throw new Error("a block in mid-event, or one that is too long");
      }
      said.push({ block: text });
      blocks++;
      if (blocks === stopAt) {
        reader.stop();
      }
    },
    eventBegin: (verb, id, lengthBytes) => {
      if (event !== null) {
        throw new Error("an event in mid-event");
      }
      event = { verb, id, lengthBytes, data: [] };
    },
    eventData: (bytes) => void event?.data.push(Buffer.from(bytes)),
    eventEnd: () => endEvent(true),
  });
  const left: Buffer[] = [];
  let failed: string | null = null;
  try {
    for (const chunk of chunks) {
      left.push(Buffer.from(reader.push(chunk)));
    }
  } catch (error) {
    if (!(error instanceof TextError)) {
      throw error;
    }
    failed = error.message;
  }
  endEvent(false);
  return { said, midway: reader.midway, left: Buffer.concat(left).toString("hex"), failed };
}

function cut(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) => a - b);
  return at.slice(1).map((to, index) => stream.subarray(at[index], to));
}

const u64 = fc.oneof(fc.bigInt(0n, 20n), fc.bigInt(0n, (1n << 64n) - 1n));
const verb = fc.constantFrom("WRITE" as const, "EVENT" as const);
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const event = fc.record({ verb, id: u64, body: payload });
const words = fc.array(fc.oneof(fc.constantFrom("READ", "HELLO", "BATCH", "WRITE", "EVENT"), u64.map(String)), {
  minLength: 1,
  maxLength: 4,
});
const block = fc.record({ fields: words });
const whole = fc.array(fc.oneof(event, block), { maxLength: 8 });
const cuts = fc.array(fc.nat(4000), { maxLength: 12 });

type Item = { readonly fields: string[] } | { readonly verb: "WRITE" | "EVENT"; readonly id: bigint; readonly body: Buffer };

function bytesOf(item: Item): Buffer {
  return "fields" in item
    ? encodeText(...item.fields)
    : Buffer.concat([encodeEventHead(item.verb, item.id, item.body.length), item.body, Buffer.alloc(1)]);
}

/** Bytes that are nearly right: good items with a byte changed, taken out or put in, and raw ones. */
const spoilt = fc
  .tuple(whole, fc.array(fc.tuple(fc.nat(4000), fc.nat(2), fc.oneof(fc.constantFrom(0, 0x20, 0x30, 0xff), fc.nat(255))), { maxLength: 4 }))
  .map(([items, changes]) => {
    const bytes = [...Buffer.concat(items.map(bytesOf))];
    for (const [at, remove, byte] of changes) {
      bytes.splice(at % (bytes.length + 1), remove, ...(remove === 2 ? [] : [byte]));
    }
    return Buffer.from(bytes);
  });
const raw = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
const anything = fc.oneof(spoilt, raw);

t.test("what was written is read back, however it is cut", async (t) => {
  fc.assert(
    fc.property(whole, cuts, (items, cuts) => {
      const { said, midway, failed } = read(cut(Buffer.concat(items.map(bytesOf)), cuts));
      const wanted: Said[] = items.map((item) =>
        "fields" in item
          ? { block: item.fields.join(" ") }
          : { verb: item.verb, id: item.id, body: item.body.toString("hex"), isWhole: true },
      );
      return failed === null && !midway && JSON.stringify(said, digits) === JSON.stringify(wanted, digits);
    }),
    limits,
  );
  t.pass("all of it");
});

t.test("any bytes: the chunks make no difference, and only a TextError is thrown", async (t) => {
  let failures = 0;
  fc.assert(
    fc.property(anything, cuts, fc.integer({ min: 1, max: 5 }), (stream, cuts, stopAt) => {
      const inOne = read([stream], stopAt);
      const inPieces = read(cut(stream, cuts), stopAt);
      const byByte = read(cut(stream, [...stream.keys()]), stopAt);
      failures += inOne.failed === null ? 0 : 1;
      const wanted = JSON.stringify(inOne, digits);
      return wanted === JSON.stringify(inPieces, digits) && wanted === JSON.stringify(byByte, digits);
    }),
    limits,
  );
  t.ok(failures > 0, `${failures} streams that broke a rule`);
});

t.test("the limit of a block, byte by byte and at once", async (t) => {
  for (const length of [TEXT_BLOCK_MAX - 1, TEXT_BLOCK_MAX]) {
    const stream = Buffer.concat([Buffer.alloc(length, 0x61), Buffer.alloc(1)]);
    for (const chunks of [[stream], cut(stream, [...stream.keys()]), cut(stream, [length])]) {
      t.equal(read(chunks).failed === null, length < TEXT_BLOCK_MAX, `${length} bytes in ${chunks.length} chunks`);
    }
  }
});

function digits(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
