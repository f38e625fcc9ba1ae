// A claim of which nobody knows whether it took effect: it fails, and its process, which lives, does not keep others from the ship.
import t from "tap";
import { BEAT_EVERY_MS } from "../../src/log/beat.ts";
import { StoreError } from "../../src/store/errors.ts";
import type { Commit } from "../../src/store/kv.ts";
import { keys } from "../../src/store/layout.ts";
import type { FaultyKv } from "./faulty-kv.ts";
import { Probe, zod } from "./probe.ts";
import { type Process, sharedKv, startProcess, turnAll } from "./shared.ts";

/** What becomes of a commit whose answer is lost: it has landed, it never lands, or it lands when its sender has given up. */
const LOSSES = ["applied", "lost", "late"] as const;
const unknown = new StoreError("store-failed", "the answer was lost", "");

function raises(group: readonly Commit[]): boolean {
  return group[0]?.witness?.equals(keys.epoch(zod)) === true;
}

/** The `nth` commit that replaces the epoch record loses its answer; gives it, once it was sent. */
function loseRaise(kv: FaultyKv, nth: number, loss: (typeof LOSSES)[number]): () => readonly Commit[] {
  let raisesSeen = 0;
  let lost: readonly Commit[] = [];
  const before = kv.fate;
  kv.fate = (group) => {
    if (!raises(group) || ++raisesSeen !== nth) return before(group);
    lost = group;
    return { error: unknown, applied: loss === "applied" };
  };
  return () => lost;
}

async function two(): Promise<{ kv: FaultyKv; first: Process; second: Process }> {
  const kv = sharedKv();
  const first = await startProcess(kv, { id: "one/1", host: "machine-one", pid: 11 });
  const second = await startProcess(kv, { id: "two/1", host: "machine-two", pid: 22 });
  return { kv, first, second };
}

/** Claims while both processes live: what is not given at once is refused. */
async function claim(claimant: Process, other: Process): Promise<Probe> {
  const result = Probe.claim(claimant.logs).catch((error: Error) => error);
  await turnAll([claimant, other], 3 * BEAT_EVERY_MS);
  const probe = await result;
  if (probe instanceof Error) throw probe;
  return probe;
}

async function append(probe: Probe): Promise<void> {
  const id = probe.height + 1n;
  probe.push(id, [Buffer.from(`event ${id}`)]);
  const error = await probe.acknowledged(id);
  if (error !== null) throw error;
}

for (const loss of LOSSES) {
  for (const used of [false, true]) {
    t.test(`the epoch of a ${used ? "ship that was written" : "new ship"}, ${loss}`, async (t) => {
      const { kv, first, second } = await two();
      if (used) {
        const writer = await Probe.claim(second.logs);
        await append(writer);
        await writer.release();
      }
      const lost = loseRaise(kv, 1, loss);
      await t.rejects(Probe.claim(first.logs), { code: "store-failed" });
      if (loss === "late") {
        t.same(await kv.inner.commit(lost()), ["check-failed"], "it cannot land any more");
      }
      t.equal(await second.logs.writerOf(zod), null);
      const next = await claim(second, first);
      t.equal(next.height, used ? 1n : 0n);
      await append(next);
      await next.release();
      await append(await Probe.claim(first.logs));
    });
  }

  t.test(`the epoch that is raised once more for a repair, ${loss}`, async (t) => {
    const { kv, first, second } = await two();
    const writer = await Probe.claim(second.logs);
    await append(writer);
    await writer.release();
    await kv.put(keys.piece({ ship: zod, log: 1 }, 11n, 1n, 0), Buffer.from("left behind"));
    let repairs = 0;
    kv.fate = (group) => (group[0]?.writes[0]?.kind === "delete-range" && ++repairs === 1 ? { error: unknown, applied: false } : "done");
    const lost = loseRaise(kv, 2, loss);
    await t.rejects(Probe.claim(first.logs), { code: "store-failed" });
    t.equal(repairs, 1);
    if (loss === "late") {
      t.same(await kv.inner.commit(lost()), ["check-failed"]);
    }
    await append(await claim(second, first));
  });
}

t.test("a repair that lands is not made again, however often answers are lost", async (t) => {
  const { kv, first, second } = await two();
  const writer = await Probe.claim(second.logs);
  await append(writer);
  await writer.release();
  await kv.put(keys.piece({ ship: zod, log: 1 }, 11n, 1n, 0), Buffer.from("left behind"));
  let repairs = 0;
  kv.fate = (group) => {
    if (group[0]?.writes[0]?.kind !== "delete-range") return "done";
    repairs++;
    return { error: unknown, applied: true };
  };
  await append(await claim(first, second));
  t.equal(repairs, 1);
  t.match(JSON.parse(String(await kv.get(keys.epoch(zod)))), { epoch: 3 }, "the second claim, and one more after the answer that was lost");
});

t.test("one that lands while it is being withdrawn", async (t) => {
  const { kv, first, second } = await two();
  const lost = loseRaise(kv, 1, "lost");
  const gives = kv.fate;
  let withdrawals = 0;
  kv.fate = async (group) => {
    const fate = await gives(group);
    // Just after the first look, which did not find it.
    if (fate === "done" && raises(group) && ++withdrawals === 2) await kv.inner.commit(lost());
    return fate;
  };
  await t.rejects(Probe.claim(first.logs), { code: "store-failed" });
  t.ok(withdrawals >= 2);
  await append(await claim(second, first));
});
