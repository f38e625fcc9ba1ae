// The whole log against a model: random appends, batches, repeats, conflicts, failing commits, new claims and restarts.
import fc from "fast-check";
import t from "tap";
import type { Logs } from "../../src/log/logs.ts";
import { verifyLog } from "../../src/log/verify.ts";
import { StoreError } from "../../src/store/errors.ts";
import { FaultyKv } from "./faulty-kv.ts";
import { openLogs, Probe, readBack, zod } from "./probe.ts";

const seed = Number(process.env.SEGURO_SEED ?? process.pid);
const timeBoundMs = 10_000;
const sizes = [0, 1, 7, 8, 100, 3000, 300_000, 5 << 20];

type Step =
  | { readonly kind: "append" | "atomic"; readonly sizes: readonly number[]; readonly wait: boolean }
  | { readonly kind: "repeat"; readonly back: number; readonly count: number; readonly other: boolean }
  | { readonly kind: "fail"; readonly applied: boolean }
  | { readonly kind: "claim" | "restart" };

const size = fc.oneof({ arbitrary: fc.constantFrom(...sizes.slice(0, 6)), weight: 20 }, fc.constantFrom(...sizes));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("append", "atomic"),
      sizes: fc.array(size, { minLength: 1, maxLength: 30 }),
      wait: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("repeat"), back: fc.nat(40), count: fc.integer({ min: 1, max: 30 }), other: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fail"), applied: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("claim", "restart") }) },
);

/** What was sent and acknowledged; it must be in the log. What was only sent may be, as a contiguous continuation. */
class Run {
  readonly kv = new FaultyKv();
  readonly sent = new Map<bigint, Buffer>();
  #logs: Logs | null = null;
  #probe: Probe | null = null;
  #next = 1n;
  #acknowledged = 0n;

  constructor(base: bigint) {
    this.#next = base;
  }

  async start(): Promise<void> {
    this.#logs = await openLogs(this.kv);
    await this.#claim();
  }

  get #writer(): Probe {
    if (this.#probe === null) throw new Error("not started");
    return this.#probe;
  }

  get logs(): Logs {
    if (this.#logs === null) throw new Error("not started");
    return this.#logs;
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "append":
      case "atomic":
        return this.#append(step.sizes, step.kind === "atomic", step.wait);
      case "repeat":
        return this.#repeat(step.back, step.count, step.other);
      case "fail":
        return this.#fail(step.applied);
      case "claim":
        return this.#again();
      case "restart":
        await this.#settle();
        // The old process is gone without a word.
        this.#logs = await openLogs(this.kv);
        return this.#claim();
    }
  }

  /** Everything acknowledged is there, equal and contiguous; the digests are right. */
  async check(): Promise<void> {
    await this.#again();
    const found = await readBack(this.kv, this.logs).catch((error: SeguroLike) => {
      if (error.code === "no-such-ship" && this.#acknowledged === 0n) return new Map<bigint, Buffer>();
      throw error;
    });
    let expected = [...found.keys()][0] ?? 0n;
    for (const [id, payload] of found) {
      if (id !== expected++) throw new Error(`event ${id} where ${expected - 1n} should be`);
      if (!this.sent.get(id)?.equals(payload)) throw new Error(`event ${id} is not as it was sent`);
    }
    if (found.size > 0) {
      const { log, done } = await this.logs.read(zod, 0);
      const { damage } = await verifyLog(this.kv, log, () => undefined);
      done();
      if (damage.length > 0) throw new Error(JSON.stringify(damage, (_, value) => (typeof value === "bigint" ? String(value) : value)));
    }
    await this.#writer.release();
  }

  #payloads(from: bigint, lengths: readonly number[]): Buffer[] {
    return lengths.map((length, index) => {
      const payload = Buffer.alloc(length, `${from + BigInt(index)}.${this.kv.commits}.`);
      this.sent.set(from + BigInt(index), payload);
      return payload;
    });
  }

  async #append(lengths: readonly number[], atomic: boolean, wait: boolean): Promise<void> {
    const from = this.#next;
    const payloads = this.#payloads(from, lengths);
    if (atomic) this.#writer.pushAtomic(from, payloads);
    else this.#writer.push(from, payloads);
    this.#next = from + BigInt(lengths.length);
    if (wait) await this.#settle();
  }

  async #settle(): Promise<void> {
    if (this.#next > 1n && this.sent.size > 0) {
      const error = await this.#writer.acknowledged(this.#next - 1n);
      if (error !== null) throw new Error(`refused: ${error.code} ${error.message}`);
    }
    this.#acknowledged = this.#writer.height;
  }

  async #repeat(back: number, count: number, other: boolean): Promise<void> {
    await this.#settle();
    const { base, height } = this.#writer.writer.claim.log;
    if (height === 0n) return;
    const from = height - BigInt(back) > base ? height - BigInt(back) : base;
    const through = from + BigInt(count) - 1n > height ? height : from + BigInt(count) - 1n;
    const payloads: Buffer[] = [];
    for (let id = from; id <= through; id++) payloads.push(this.sent.get(id) ?? Buffer.alloc(0));
    if (!other) {
      this.#writer.push(from, payloads);
      // The stream must go on from there: the rest is repeated as well.
      const rest: Buffer[] = [];
      for (let id = through + 1n; id <= height; id++) rest.push(this.sent.get(id) ?? Buffer.alloc(0));
      if (rest.length > 0) this.#writer.push(through + 1n, rest);
      return;
    }
    payloads[payloads.length - 1] = Buffer.from("another event altogether");
    this.#writer.push(from, payloads);
    const error = await this.#writer.acknowledged(height + 1n);
    if (error?.code !== "append-conflict") throw new Error(`a conflict went through: ${error?.code}`);
    await this.#again();
  }

  async #fail(applied: boolean): Promise<void> {
    await this.#settle();
    this.kv.fate = () => ({ error: new StoreError("store-failed", "the test says so", "none"), applied });
    this.#writer.push(this.#next, this.#payloads(this.#next, [10, 20]));
    this.#next += 2n;
    const error = await this.#writer.acknowledged(this.#next - 1n);
    if (error?.code !== "store-failed") throw new Error(`acknowledged without the store: ${error?.code}`);
    this.kv.fate = () => "done";
    await this.#again();
  }

  async #again(): Promise<void> {
    await this.#writer.release();
    await this.#claim();
  }

  async #claim(): Promise<void> {
    this.#probe = await Probe.claim(this.logs);
    const { height } = this.#probe;
    if (height < this.#acknowledged) throw new Error(`acknowledged ${this.#acknowledged}, but the log ends at ${height}`);
    if (height > 0n) {
      for (const id of this.sent.keys()) if (id > height) this.sent.delete(id);
      this.#next = height + 1n;
    } else {
      this.#next = [...this.sent.keys()][0] ?? this.#next;
      this.sent.clear();
    }
  }
}

interface SeguroLike {
  readonly code?: string;
}

t.test("a log is what its model says", async (t) => {
  t.comment(`seed ${seed}`);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(1n, 1n, 5001n), fc.array(step, { maxLength: 14 }), async (base, steps) => {
      runs++;
      const run = new Run(base);
      await run.start();
      for (const next of steps) await run.take(next);
      await run.check();
    }),
    { seed, numRuns: 100_000, interruptAfterTimeLimit: timeBoundMs, markInterruptAsFailure: false },
  );
  t.ok(runs > 5, `${runs} histories`);
});
