// The simplest thing that does what a key-value engine must do, and random operations to compare the two with.
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Commit, Kv } from "../../src/store/kv.ts";
import { eachRow } from "../../src/store/rows.ts";

export type Operation =
  | { readonly do: "commit"; readonly group: readonly Commit[] }
  | {
      readonly do: "range";
      readonly from: Buffer;
      readonly to: Buffer;
      readonly limitRows: number;
      readonly limitBytes: number;
      readonly reverse: boolean;
    };

// Few distinct bytes, so that keys meet; a long tail, so that pages split.
const key = fc
  .tuple(fc.array(fc.constantFrom(0x00, 0x61, 0xff), { minLength: 1, maxLength: 3 }), fc.constantFrom(0, 0, 0, 100))
  .map(([bytes, tail]) => Buffer.concat([Buffer.from(bytes), Buffer.alloc(tail, 0x6b)]));
const value = fc
  .constantFrom(0, 1, 10, 1000, 2100, 9000)
  .chain((size) => fc.constantFrom("x", "y").map((fill) => Buffer.alloc(size, fill)));
const write = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("put" as const), key, value: fc.array(value, { maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete-range" as const), from: key, to: key }) },
);
const check = fc.record({ key, value: fc.option(value, { nil: null }) });
const commit = fc.record({
  checks: fc.oneof(fc.constant([]), fc.array(check, { maxLength: 2 })),
  writes: fc.array(write, { maxLength: 6 }),
});
const range = fc.record({
  do: fc.constant("range" as const),
  from: key,
  to: key,
  limitRows: fc.integer({ min: 1, max: 12 }),
  limitBytes: fc.constantFrom(0, 500, 5000, 1_000_000),
  reverse: fc.boolean(),
});

export const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(fc.record({ do: fc.constant("commit" as const), group: fc.array(commit, { maxLength: 4 }) }), range),
  { maxLength: 12 },
);

/** A plain map by the keys' Latin-1 text, whose order by UTF-16 units is that of the bytes. */
class Model {
  readonly #rows = new Map<string, Buffer>();

  commit(group: readonly Commit[]): string[] {
    return group.map(({ checks, writes }) => {
      const holds = checks.every((c) => Buffer.compare(this.#rows.get(c.key.toString("latin1")) ?? absent, c.value ?? absent) === 0);
      if (!holds) return "check-failed";
      for (const w of writes) {
        if (w.kind === "put") this.#rows.set(w.key.toString("latin1"), Buffer.concat(w.value));
        else if (w.kind === "delete") this.#rows.delete(w.key.toString("latin1"));
        else for (const [k] of this.between(w.from, w.to)) this.#rows.delete(k);
      }
      return "committed";
    });
  }

  between(from: Buffer, to: Buffer): [string, Buffer][] {
    const inside = [...this.#rows].filter(([k]) => k >= from.toString("latin1") && k < to.toString("latin1"));
    return inside.sort(([x], [y]) => (x < y ? -1 : 1));
  }
}

/** Stands for "absent" where buffers are compared; no value of a test is equal to it. */
const absent = Buffer.from("absent, which no value is");

async function compareRange(kv: Kv, model: Model, operation: Operation & { do: "range" }): Promise<void> {
  const { from, to, limitRows, limitBytes, reverse } = operation;
  const rows = await kv.range(from, to, { limitRows, limitBytes, reverse });
  const expected = reverse ? model.between(from, to).toReversed() : model.between(from, to);
  let bytes = 0;
  let count = 0;
  for (const [k, v] of expected) {
    bytes += 8 + k.length + v.length;
    if (count === limitRows || (count > 0 && bytes > limitBytes)) break;
    count++;
  }
  assert.equal(rows.more, count < expected.length);
  const got = Array.from(eachRow(rows), (row) => [row.key.toString("latin1"), Buffer.from(row.value)]);
  assert.deepEqual(got, expected.slice(0, count));
}

/** Runs the operations on an empty engine and on the model; throws where they differ. */
export async function runModel(kv: Kv, list: readonly Operation[]): Promise<void> {
  const model = new Model();
  for (const operation of list) {
    if (operation.do === "range") await compareRange(kv, model, operation);
    else assert.deepEqual(await kv.commit(operation.group), model.commit(operation.group));
  }
  const low = Buffer.alloc(0);
  const high = Buffer.alloc(200, 0xff);
  await compareRange(kv, model, { do: "range", from: low, to: high, limitRows: 10_000, limitBytes: 2 ** 30, reverse: false });
  await compareRange(kv, model, { do: "range", from: low, to: high, limitRows: 10_000, limitBytes: 2 ** 30, reverse: true });
}
