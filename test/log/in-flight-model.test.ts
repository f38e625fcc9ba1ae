// Histories of one log with several commits under way, against a model: any order of settling, failures, new claims, and late commits of the dead.
import fc from "fast-check";
import t from "tap";
import { verifyLog } from "../../src/log/verify.ts";
import { afterPrefix, keys } from "../../src/store/layout.ts";
import type { Fate } from "./faulty-kv.ts";
import { failure, Gate } from "./gate.ts";
import { Probe, readBack, zod } from "./probe.ts";
import { NETWORK, type Process, settled, sharedKv, startProcess } from "./shared.ts";

const seed = Number(process.env.SEGURO_SEED ?? process.pid);
const timeBoundMs = 8_000;
const name = { ship: zod, log: 1 };

interface Step {
  /** Blocks sent, and how many of those under way end, in which order, and how. */
  readonly blocks: number;
  readonly ends: readonly { readonly at: number; readonly fate: "done" | "lost" | "unknown" }[];
  readonly after: "go on" | "claim" | "crash";
}

const fate = fc.oneof({ weight: 12, arbitrary: fc.constant("done" as const) }, fc.constantFrom("lost" as const, "unknown" as const));
const step: fc.Arbitrary<Step> = fc.record({
  blocks: fc.nat(6),
  ends: fc.array(fc.record({ at: fc.nat(9), fate }), { maxLength: 6 }),
  after: fc.oneof({ weight: 5, arbitrary: fc.constant("go on" as const) }, fc.constant("claim" as const), {
    weight: 2,
    arbitrary: fc.constant("crash" as const),
  }),
});

/** A ship that is written by one process after the other. */
class History {
  readonly kv = sharedKv();
  readonly #sent = new Map<bigint, string>();
  #starts = 0;
  #process: Process | null = null;
  #probe: Probe | null = null;
  #gate = new Gate(this.kv);
  #next = 1n;
  #acknowledged = 0n;
  /** Commits of dead processes that may still land. */
  #late: ((fate: Fate) => void)[] = [];

  get #writer(): Probe {
    if (this.#probe === null) throw new Error("not started");
    return this.#probe;
  }

  async start(): Promise<void> {
    this.#starts++;
    this.#process = await startProcess(this.kv, { id: `one/${this.#starts}`, lock: "8:1" });
    await this.#claim();
  }

  async take({ blocks, ends, after }: Step): Promise<void> {
    for (let block = 0; block < blocks; block++) {
      const text = `event ${this.#next} of start ${this.#starts}, ${this.kv.commits}`;
      this.#sent.set(this.#next, text);
      this.#writer.push(this.#next, [Buffer.from(text)]);
      this.#next++;
      await settled();
    }
    for (const { at, fate } of ends) {
      const firsts = [...this.#gate.waiting.keys()];
      const first = firsts[at % firsts.length];
      if (first !== undefined) this.#gate.end(first, fate === "done" ? "done" : { error: failure(), applied: fate === "unknown" });
      await settled();
      this.#look();
    }
    if (after === "claim" || (after === "go on" && this.#writer.failed !== null)) {
      const released = this.#writer.release();
      this.#endAll();
      await released;
      await this.#claim();
    } else if (after === "crash") {
      this.#look();
      this.#late.push(...this.#gate.waiting.values());
      this.#gate = new Gate(this.kv);
      await this.start();
      // What the dead one had sent arrives late, after its successor has claimed.
      for (const land of this.#late.splice(0)) land("done");
      await settled();
    }
  }

  /** Everything acknowledged is there as it was sent, contiguous, and nothing was made up. */
  async check(): Promise<void> {
    this.#endAll();
    await settled();
    this.#look();
    await this.#writer.release();
    if (this.#process === null || this.#acknowledged === 0n) return;
    const found = await readBack(this.kv, this.#process.logs);
    let expected = 1n;
    for (const [id, payload] of found) {
      if (id !== expected++) throw new Error(`event ${id} where ${expected - 1n} should be`);
      if (this.#sent.get(id) !== String(payload)) throw new Error(`event ${id} is not as it was sent`);
    }
    if (BigInt(found.size) < this.#acknowledged) throw new Error(`${found.size} events of ${this.#acknowledged}`);
    const { log, done } = await this.#process.logs.read(zod, 0);
    const { damage } = await verifyLog(this.kv, log, () => undefined);
    done();
    if (damage.length > 0) throw new Error(damage[0]?.text);
  }

  #endAll(): void {
    this.kv.fate = () => "done";
    for (const first of [...this.#gate.waiting.keys()]) this.#gate.end(first);
  }

  #look(): void {
    if (this.#gate.most > (NETWORK.commitsInFlightPerLog ?? 0)) throw new Error(`${this.#gate.most} under way`);
    const { height } = this.#writer;
    if (height > this.#acknowledged) this.#acknowledged = height;
  }

  async #claim(): Promise<void> {
    if (this.#process === null) throw new Error("not started");
    this.#probe = await Probe.claim(this.#process.logs);
    const { height } = this.#probe;
    if (height < this.#acknowledged) throw new Error(`acknowledged ${this.#acknowledged}, but the log ends at ${height}`);
    if (await this.#beyond(height)) throw new Error(`blocks lie beyond ${height}`);
    this.#next = height + 1n;
    this.#gate = new Gate(this.kv);
  }

  async #beyond(height: bigint): Promise<boolean> {
    return (await this.kv.range(keys.block(name, height + 1n), afterPrefix(keys.blocks(name)))).count > 0;
  }
}

t.test("whatever order commits settle in, what was acknowledged is the log", async (t) => {
  t.comment(`seed ${seed}`);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      runs++;
      const history = new History();
      await history.start();
      for (const next of steps) await history.take(next);
      await history.check();
    }),
    { seed, numRuns: 100_000, interruptAfterTimeLimit: timeBoundMs, markInterruptAsFailure: false },
  );
  t.ok(runs > 5, `${runs} histories`);
});
