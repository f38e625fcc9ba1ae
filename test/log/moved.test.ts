// Ships that live in another store: nobody writes them here, whatever the record says of where they are; what is left may be freed when it was moved.
import t from "tap";
import { type MoveState, shipRecord } from "../../src/log/moved.ts";
import { encodeRecord, keys } from "../../src/store/layout.ts";
import { type Fate, FaultyKv } from "./faulty-kv.ts";
import { openLogs, Probe, zod } from "./probe.ts";

async function shipWith(state: MoveState): Promise<FaultyKv> {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  probe.push(1n, [Buffer.from("one"), Buffer.from("two")]);
  await probe.acknowledged(2n);
  await probe.release();
  await kv.put(keys.ship(zod), encodeRecord(shipRecord(1, 2, { state, store: "lmdb:/other" })));
  return kv;
}

for (const state of ["moving-to", "moved-to", "copied-to", "moving-from"] as const) {
  t.test(state, async (t) => {
    const kv = await shipWith(state);
    const logs = await openLogs(kv);
    const epoch = await kv.get(keys.epoch(zod));
    await t.rejects(Probe.claim(logs), { code: "ship-moved", message: /lmdb:\/other/, hint: /seguro migrate/, fatal: true });
    t.same(await kv.get(keys.epoch(zod)), epoch, "and nobody's claim is disturbed");
    const { log, done } = await logs.read(zod, 0);
    t.equal(log.height, 2n, "it can be read");
    done();
    t.match(await logs.list(), [{ currentLog: 1, move: { state, store: "lmdb:/other" }, logs: [{ height: 2n }] }]);
    if (state !== "moved-to") {
      await t.rejects(logs.retire(zod), { code: "ship-moved" });
      await t.rejects(logs.forget(zod, 1), { code: "ship-moved" });
      return;
    }
    await t.rejects(logs.forget(zod, 1), { code: "not-retired" });
    t.equal(await logs.retire(zod), 1);
    t.equal(await logs.forget(zod, 1), 2n);
    await t.rejects(Probe.claim(logs), { code: "ship-moved" }, "also when nothing of the log is left");
  });
}

t.test("a move that begins while a session claims the ship", async (t) => {
  const kv = await shipWith("moved-to");
  const marked = await kv.get(keys.ship(zod));
  await kv.put(keys.ship(zod), encodeRecord(shipRecord(1, 2, null)));
  const logs = await openLogs(kv);
  kv.fate = async (): Promise<Fate> => {
    kv.fate = () => "done";
    await kv.put(keys.ship(zod), marked ?? Buffer.alloc(0));
    return "done";
  };
  await t.rejects(Probe.claim(logs), { code: "ship-moved" });
});
