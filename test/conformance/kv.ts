// What every engine must do: the promises of src/store/kv.ts, one test each. Run for each engine by the tests beside this file.
import fc from "fast-check";
import type { Test } from "tap";
import { StoreError } from "../../src/store/errors.ts";
import type { Check, Commit, Kv, RangeOptions, Write } from "../../src/store/kv.ts";
import { eachRow } from "../../src/store/rows.ts";
import { logConformance } from "./log.ts";
import { type Operation, operations, runModel } from "./model.ts";

/** Makes an empty engine for one test, and says how to clean up after it. */
export type MakeEngine = () => Promise<{ kv: Kv; done: () => Promise<void> }>;

const b = (text: string) => Buffer.from(text, "latin1");
export const put = (key: string, ...pieces: string[]): Write => ({ kind: "put", key: b(key), value: pieces.map(b) });
const del = (key: string): Write => ({ kind: "delete", key: b(key) });
const delRange = (from: string, to: string): Write => ({ kind: "delete-range", from: b(from), to: b(to) });
const check = (key: string, value: string | null): Check => ({ key: b(key), value: value === null ? null : b(value) });
export const commitOf = (...writes: Write[]): Commit => ({ checks: [], writes });
const everything: readonly [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(200, 0xff)];

async function rowsOf(kv: Kv, from: Buffer, to: Buffer, options?: RangeOptions): Promise<string[]> {
  const rows = await kv.range(from, to, options);
  return Array.from(eachRow(rows), ({ key, value }) => `${key.toString("latin1")}=${value.toString("latin1")}`);
}

const keysOf = async (kv: Kv, from: string, to: string, options?: RangeOptions) =>
  (await rowsOf(kv, b(from), b(to), options)).map((row) => row.slice(0, row.indexOf("=")));

/** Every promise of the interface, on engines made by `makeEngine`, and what a log keeps over it. */
export function conformance(t: Test, name: string, makeEngine: MakeEngine): void {
  const on = (title: string, body: (t: Test, kv: Kv) => Promise<void>) =>
    t.test(`${name}: ${title}`, async (t) => {
      const { kv, done } = await makeEngine();
      t.teardown(done);
      await body(t, kv);
    });

  on("puts, gets, replaces and deletes", async (t, kv) => {
    t.equal(await kv.get(b("a")), null);
    t.strictSame(await kv.commit([commitOf(put("a", "one", "", " two"), put("empty"), put("empty2", ""))]), ["committed"]);
    t.strictSame(await kv.get(b("a")), b("one two"));
    t.strictSame(await kv.get(b("empty")), b(""));
    t.strictSame(await kv.get(b("empty2")), b(""));
    await kv.commit([commitOf(put("a", "new"), del("empty"), del("never there"))]);
    t.strictSame(await rowsOf(kv, ...everything), ["a=new", "empty2="]);
  });

  on("what get and range return is a private copy, and what commit took is too", async (t, kv) => {
    const key = b("k");
    const value = b("value");
    await kv.commit([commitOf({ kind: "put", key, value: [value] })]);
    key.fill(0);
    value.fill(0);
    (await kv.get(b("k")))?.fill(0);
    (await kv.range(...everything)).bytes.fill(0);
    t.strictSame(await rowsOf(kv, ...everything), ["k=value"]);
  });

  on("an empty group and an empty commit are committed", async (t, kv) => {
    t.strictSame(await kv.commit([]), []);
    t.strictSame(await kv.commit([commitOf(), { checks: [check("a", null)], writes: [] }]), ["committed", "committed"]);
  });

  on("checks: absent, equal, differing, empty is not absent", async (t, kv) => {
    await kv.commit([commitOf(put("a", "1"), put("e", ""))]);
    const cases: [Check, boolean][] = [
      [check("a", "1"), true],
      [check("a", "2"), false],
      [check("a", "11"), false],
      [check("a", ""), false],
      [check("a", null), false],
      [check("b", null), true],
      [check("b", ""), false],
      [check("e", ""), true],
      [check("e", null), false],
    ];
    for (const [one, holds] of cases) {
      const outcome = await kv.commit([{ checks: [check("a", "1"), one], writes: [put("z", "written")] }]);
      t.strictSame(outcome, [holds ? "committed" : "check-failed"], `${one.key}=${one.value}`);
      t.equal((await kv.get(b("z"))) !== null, holds, "a member whose check fails writes nothing");
      await kv.commit([commitOf(del("z"))]);
    }
  });

  on("a group is applied in order, each member on its own, later ones see earlier ones", async (t, kv) => {
    const outcomes = await kv.commit([
      { checks: [check("n", null)], writes: [put("n", "1"), put("a", "first")] },
      { checks: [check("n", null)], writes: [put("n", "x"), put("b", "dropped")] },
      { checks: [check("n", "1")], writes: [put("n", "2"), delRange("a", "b"), put("a2", "after the range")] },
      { checks: [check("a", null), check("n", "2")], writes: [put("n", "3")] },
    ]);
    t.strictSame(outcomes, ["committed", "check-failed", "committed", "committed"]);
    t.strictSame(await rowsOf(kv, ...everything), ["a2=after the range", "n=3"]);
  });

  on("writes within one commit are applied in order", async (t, kv) => {
    await kv.commit([commitOf(put("a", "1"), del("a"), put("b", "1"), put("b", "2"), put("c", "1"), delRange("c", "d"), put("c1", "x"))]);
    t.strictSame(await rowsOf(kv, ...everything), ["b=2", "c1=x"]);
  });

  on("delete-range takes its first bound and leaves its second", async (t, kv) => {
    const fill = () => kv.commit([commitOf(...["a", "b", "b\0", "b\xff", "c", "d"].map((key) => put(key, "v")))]);
    const cases: [string, string, string[]][] = [
      ["b", "c", ["a", "c", "d"]],
      ["b\0", "b\xff", ["a", "b", "b\xff", "c", "d"]],
      ["c", "b", ["a", "b", "b\0", "b\xff", "c", "d"]],
      ["b", "b", ["a", "b", "b\0", "b\xff", "c", "d"]],
      ["", "b", ["b", "b\0", "b\xff", "c", "d"]],
      ["c1", "\xff", ["a", "b", "b\0", "b\xff", "c"]],
      ["", "\xff", []],
      ["x", "y", ["a", "b", "b\0", "b\xff", "c", "d"]],
    ];
    for (const [from, to, left] of cases) {
      await fill();
      await kv.commit([commitOf(delRange(from, to))]);
      t.strictSame(await keysOf(kv, "", "\xff\xff"), left, `${from}..${to}`);
    }
  });

  on("delete-range over thousands of rows", async (t, kv) => {
    const key = (i: number) => `k${String(i).padStart(6, "0")}`;
    await kv.commit([commitOf(...Array.from({ length: 5000 }, (_, i) => put(key(i), "v".repeat(i % 90))))]);
    await kv.commit([commitOf(delRange(key(10), key(4990)))]);
    t.equal((await keysOf(kv, "", "\xff")).length, 20);
    t.strictSame((await keysOf(kv, key(9), key(4991))).length, 2);
  });

  on("ranges: bounds, limits, reverse", async (t, kv) => {
    await kv.commit([commitOf(...["a", "b", "c", "d"].map((key) => put(key, key.repeat(92 - 1))))]);
    t.strictSame(await keysOf(kv, "b", "d"), ["b", "c"]);
    t.strictSame(await keysOf(kv, "b", "d", { reverse: true }), ["c", "b"]);
    t.strictSame(await keysOf(kv, "", "zz", { reverse: true }), ["d", "c", "b", "a"]);
    t.strictSame(await keysOf(kv, "a1", "b"), []);
    t.strictSame(await keysOf(kv, "d", "a"), []);
    t.strictSame(await keysOf(kv, "d", "a", { reverse: true }), []);
    t.strictSame(await keysOf(kv, "", "", { reverse: true }), []);
    const limited = async (options: RangeOptions) => {
      const { count, more, bytes } = await kv.range(b("a"), b("z"), options);
      return [count, more, bytes.length];
    };
    t.strictSame(await limited({}), [4, false, 400]);
    t.strictSame(await limited({ limitRows: 4 }), [4, false, 400]);
    t.strictSame(await limited({ limitRows: 3 }), [3, true, 300]);
    t.strictSame(await limited({ limitBytes: 400 }), [4, false, 400]);
    t.strictSame(await limited({ limitBytes: 399 }), [3, true, 300]);
    t.strictSame(await limited({ limitBytes: 1 }), [1, true, 100], "the first row always comes");
    t.strictSame(await limited({ limitBytes: 250, reverse: true }), [2, true, 200]);
    t.strictSame(await keysOf(kv, "a", "z", { limitRows: 2, reverse: true }), ["d", "c"]);
  });

  on("keys are compared as unsigned bytes, 1 to 300 of them", async (t, kv) => {
    const keys = [b("\0"), b("\x7f"), b("\x80"), Buffer.alloc(299, 0xff), Buffer.alloc(300, 0xff)];
    await kv.commit([{ checks: [], writes: keys.toReversed().map((key) => ({ kind: "put" as const, key, value: [key] })) }]);
    const rows = Array.from(eachRow(await kv.range(Buffer.alloc(0), Buffer.alloc(300, 0xff))), (row) => Buffer.from(row.key));
    t.strictSame(rows, keys.slice(0, 4));
    t.strictSame(await kv.get(keys[4] as Buffer), keys[4]);
    for (const key of [Buffer.alloc(0), Buffer.alloc(301)]) {
      await t.rejects(kv.get(key), RangeError);
      await t.rejects(kv.commit([commitOf({ kind: "put", key, value: [] })]), RangeError);
      await t.rejects(kv.commit([{ checks: [{ key, value: null }], writes: [] }]), RangeError);
    }
    t.equal((await kv.range(Buffer.alloc(0), Buffer.alloc(300, 0xff))).count, 4);
  });

  on("values from nothing to the limit, gathered from many pieces", async (t, kv) => {
    for (const size of [0, 1, 500, 4000, 4096, 100_000, 3_000_001, kv.limits.valueBytes]) {
      const value = Buffer.alloc(size, `${size}:`);
      const pieces: Uint8Array[] = [];
      for (let at = 0, step = 1; at < size; at += step, step = Math.min(step * 3, 70_001)) pieces.push(value.subarray(at, at + step));
      await kv.commit([commitOf({ kind: "put", key: b("big"), value: pieces })]);
      const got = await kv.get(b("big"));
      t.ok(got?.equals(value), `${size} bytes in ${pieces.length} pieces`);
      const row = [...eachRow(await kv.range(...everything))][0];
      t.ok(row?.value.equals(value));
    }
    const tooBig = [Buffer.alloc(kv.limits.valueBytes), Buffer.alloc(1)];
    await t.rejects(kv.commit([commitOf({ kind: "put", key: b("big"), value: tooBig })]), RangeError);
  });

  on("a range is one consistent snapshot while commits run", async (t, kv) => {
    const keys = Array.from({ length: 300 }, (_, i) => `k${String(i).padStart(3, "0")}`);
    const write = (n: number) => kv.commit([commitOf(...keys.map((key) => put(key, String(n))))]);
    await write(0);
    let writing = true;
    let reads = 0;
    const reader = (async () => {
      while (writing) {
        const rows = await kv.range(...everything, { reverse: reads % 2 === 1 });
        const values = new Set(Array.from(eachRow(rows), (row) => row.value.toString()));
        if (rows.count !== keys.length || values.size !== 1) t.fail(`a torn read: ${rows.count} rows, values ${[...values]}`);
        reads++;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let n = 1; n <= 60; n++) await write(n);
    writing = false;
    await reader;
    t.ok(reads > 0, `${reads} reads`);
  });

  on("behaves as the model does", async (t, kv) => {
    const property = fc.asyncProperty(operations, async (list: readonly Operation[]) => {
      await kv.commit([commitOf({ kind: "delete-range", from: everything[0], to: everything[1] })]);
      await runModel(kv, list);
    });
    const result = await fc.check(property, { interruptAfterTimeLimit: 4000, markInterruptAsFailure: false, numRuns: 300 });
    t.comment(`seed ${result.seed}, ${result.numRuns} runs`);
    t.notOk(result.failed, fc.defaultReportMessage(result) ?? "no counterexample");
  });

  on("stats are figures", async (t, kv) => {
    t.equal(Object.values(await kv.stats()).length > 0, true);
    t.type(kv.name, "string");
  });

  on("close waits for what is under way; later calls reject with store-closed", async (t, kv) => {
    const commit = kv.commit([commitOf(put("a", "1"))]);
    const read = kv.range(...everything);
    const closing = kv.close();
    t.strictSame(await commit, ["committed"]);
    await read;
    await closing;
    await kv.close();
    for (const call of [kv.get(b("a")), kv.range(b("a"), b("b")), kv.commit([]), kv.stats()]) {
      const error = await call.then(
        () => null,
        (error: unknown) => error,
      );
      t.ok(error instanceof StoreError && error.code === "store-closed" && error.hint !== "");
    }
  });

  logConformance(t, name, makeEngine);
}
