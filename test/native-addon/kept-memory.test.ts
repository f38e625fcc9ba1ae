// Events kept in the memory they came in: they outlive their Buffer, and only memory that can be kept so is.
import t from "tap";
import { type Assembler, createAssembler, freeAssembled } from "../../src/native/assembler.ts";
import { KeptBytes } from "../../src/native/kept-memory.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { MemoryKv } from "../../src/store/memory.ts";

const PAYLOAD = Buffer.alloc(100_000, "event");

/** A run as it comes from a client, in memory of its own. */
function runOf(firstId: bigint): { bytes: Buffer; copy: Buffer } {
  const assembler: Assembler = createAssembler({ runBytes: 1 << 20, pieceBytes: 4 << 20, eventBytesMax: 1 << 20 });
  assembler.push(encodeRecords(firstId, [PAYLOAD, PAYLOAD]));
  const taken = assembler.take();
  if (taken === null || !("run" in taken)) {
    throw new Error("no run");
  }
  return { bytes: taken.run.bytes, copy: Buffer.from(taken.run.bytes) };
}

t.test("kept bytes outlive their Buffer, until they are dropped", async (t) => {
  const { bytes, copy } = runOf(1n);
  const kept = KeptBytes.of(bytes);
  const part = KeptBytes.of(bytes.subarray(24, 50_000));
  t.ok(kept !== null && part !== null);
  freeAssembled(bytes);
  t.equal(bytes.length, 0, "its Buffer is empty");
  const into = Buffer.alloc(copy.length + 8);
  t.equal(kept?.copy(into, 8), copy.length + 8);
  t.ok(into.subarray(8).equals(copy));
  t.equal(part?.copy(into, 0), 50_000 - 24);
  t.ok(into.subarray(0, 50_000 - 24).equals(copy.subarray(24, 50_000)));
  t.throws(() => kept?.copy(into, 9), RangeError, "too little room");
  kept?.drop();
  kept?.drop();
  t.throws(() => kept?.copy(into, 0), RangeError, "dropped");
  t.equal(part?.copy(into, 0), 50_000 - 24, "the other part is still there");
});

t.test("only an assembler's memory can be kept", async (t) => {
  t.equal(KeptBytes.of(Buffer.alloc(100_000)), null);
  t.equal(KeptBytes.of(Buffer.from("pooled")), null);
});

t.test("the store in memory gives back what it was given, replaces and deletes it", async (t) => {
  const kv = new MemoryKv();
  const key = (n: number): Buffer => Buffer.from([n]);
  const copies: Buffer[] = [];
  for (let n = 0; n < 6; n++) {
    const { bytes, copy } = runOf(BigInt(n + 1));
    const head = Buffer.from(`head ${n}`);
    await kv.commit([{ checks: [], writes: [{ kind: "put", key: key(n), value: [head, bytes] }] }]);
    copies.push(Buffer.concat([head, copy]));
    freeAssembled(bytes);
    head.fill(0);
  }
  for (const [n, copy] of copies.entries()) {
    t.ok((await kv.get(key(n)))?.equals(copy), `value ${n}`);
  }
  const value = copies[0] as Buffer;
  const outcome = await kv.commit([
    { checks: [{ key: key(0), value }], writes: [{ kind: "put", key: key(0), value: [Buffer.from("new")] }] },
    { checks: [{ key: key(1), value }], writes: [{ kind: "delete", key: key(1) }] },
    { checks: [], writes: [{ kind: "delete", key: key(2) }] },
    { checks: [], writes: [{ kind: "delete-range", from: key(3), to: key(5) }] },
  ]);
  t.same(outcome, ["committed", "check-failed", "committed", "committed"]);
  const rows = await kv.range(Buffer.alloc(0), Buffer.from([0xff]), { into: Buffer.alloc(1 << 20) });
  t.equal(rows.count, 3);
  t.ok(rows.bytes.includes(copies[1] as Buffer) && rows.bytes.includes(copies[5] as Buffer));
  t.same(await kv.get(key(0)), Buffer.from("new"));
  await kv.close();
});
