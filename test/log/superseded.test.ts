// A claim that is superseded before it reads which log is the ship's: it may hear of its successors' logs, and can write nothing there.
import t from "tap";
import { keys } from "../../src/store/layout.ts";
import { Probe, readBack, zod } from "./probe.ts";
import { settled, sharedKv, startProcess } from "./shared.ts";

/**
 * The first process stands still just after it has raised the epoch. Meanwhile the second fences it, appends, and retires the log; then `next`
 * happens there. Gives what the first is told when it goes on.
 */
async function late(next: (append: (payload: string) => Promise<void>) => Promise<void>) {
  const kv = sharedKv();
  const first = await startProcess(kv, { id: "one/1" });
  const second = await startProcess(kv, { id: "two/1" });
  const append = async (payload: string): Promise<void> => {
    const probe = await Probe.claim(second.logs);
    const id = probe.height + 1n;
    probe.push(id, [Buffer.from(payload)]);
    const error = await probe.acknowledged(id);
    if (error !== null) throw error;
    await probe.release();
  };
  await append("before");
  kv.fate = (group) => {
    if (group.some(({ witness }) => witness?.equals(keys.epoch(zod)) === true)) first.way.stop();
    return "done";
  };
  const claim = Probe.claim(first.logs);
  await settled();
  kv.fate = () => "done";
  await second.logs.fence(zod, "a test");
  await append("after");
  await second.logs.retire(zod);
  await next(append);
  first.way.goOn();
  return { kv, second, append, probe: await claim };
}

t.test("told of the next log, which nobody has begun", async (t) => {
  const { kv, second, append, probe } = await late(async () => undefined);
  t.match(probe.writer.claim, { epoch: 2n, log: { name: { log: 2 }, height: 0n } });
  probe.push(1n, [Buffer.from("late")]);
  t.equal((await probe.acknowledged(1n))?.code, "fenced");
  await probe.release();
  t.match(await second.logs.summary(zod), { currentLog: 0, logs: [{ log: 1, state: "retired", height: 2n }] }, "nothing has begun");
  t.equal(await kv.get(keys.logRecord({ ship: zod, log: 2 })), null);
  await append("first of the next");
  t.same([...(await readBack(kv, second.logs)).values()].map(String), ["first of the next"]);
});

t.test("told of the next log, and it begins and ends before the first event comes", async (t) => {
  const { second, append, probe } = await late(async () => undefined);
  await append("first of the next");
  await second.logs.retire(zod);
  probe.push(1n, [Buffer.from("late")]);
  t.equal((await probe.acknowledged(1n))?.code, "fenced");
  await probe.release();
  const logs = [1, 2].map((log) => ({ log, state: "retired" }));
  t.match(await second.logs.summary(zod), { currentLog: 0, logs }, "no log is opened again");
});

t.test("told of the next log and what is in it", async (t) => {
  const { kv, second, append, probe } = await late((append) => append("first of the next"));
  t.match(probe.writer.claim, { epoch: 2n, log: { name: { log: 2 }, height: 1n } });
  probe.push(2n, [Buffer.from("late")]);
  t.equal((await probe.acknowledged(2n))?.code, "fenced");
  await probe.release();
  await append("second");
  t.same([...(await readBack(kv, second.logs)).values()].map(String), ["first of the next", "second"]);
});
