// Moving a ship between stores: all of it arrives, nobody writes it where it is not, and crashes at every commit are gone on from.
import t, { type Test } from "tap";
import { cancelMigration } from "../../src/log/migrate-end.ts";
import { keys } from "../../src/store/layout.ts";
import type { FaultyKv } from "./faulty-kv.ts";
import { append, crashAt, events, makeShip, migrate, NamedKv, shipContent, writable } from "./migrate-stores.ts";
import { openLogs, Probe, zod } from "./probe.ts";

const defer = (run: () => void): void => void setImmediate(run);

function pair(): { a: NamedKv; b: NamedKv } {
  return { a: new NamedKv("lmdb:/a"), b: new NamedKv("lmdb:/b") };
}

async function sameIn(t: Test, from: object, kv: FaultyKv, text: string): Promise<void> {
  t.same(await shipContent(kv), from, text);
}

t.test("a whole ship, huge events and atomic batches with it", async (t) => {
  const { a, b } = pair();
  await makeShip(a, true);
  const before = await shipContent(a);
  const phases: string[] = [];
  const moved = await migrate(a, b, { phase: (phase, { log }, total) => phases.push(`${phase} ${log} ${total}`) });
  t.match(moved, {
    outcome: "moved",
    logs: [
      { log: 1, base: 1n, height: 12n, copied: 12n },
      { log: 2, base: 3n, height: 76n, copied: 74n },
    ],
  });
  t.same(phases, ["copy 1 12", "verify 1 12", "copy 2 74", "verify 2 74"]);
  t.same(
    moved.logs.map(({ digest }) => digest),
    before.logs.map((log) => (log as { digest: string }).digest),
  );
  await sameIn(t, before, b, "in the other store, states and numbers too");
  await sameIn(t, before, a, "and still in this one");
  t.notOk(await writable(a));
  t.ok(await writable(b));
  t.match(await migrate(a, b), { outcome: "already" }, "again");
  await append(await openLogs(b), 77n, events(77n, 5));
  t.match(await migrate(a, b), { outcome: "already" }, "and when it has gone on");
  t.match(String(await b.get(keys.format())), '"format":2}');
  t.match(String(await a.get(keys.format())), '"format":2}');
});

t.test("there, back, and there again", async (t) => {
  const { a, b } = pair();
  await makeShip(a);
  await migrate(a, b);
  await append(await openLogs(b), 77n, events(77n, 5));
  await (await openLogs(b)).retire(zod);
  await append(await openLogs(b), 1n, events(1n, 3));
  const grown = await shipContent(b);
  t.match(await migrate(b, a), { outcome: "moved", logs: [{ copied: 0n }, { copied: 5n }, { copied: 3n }] }, "only what is new");
  await sameIn(t, grown, a, "a has what b had");
  t.match([await writable(a), await writable(b)], [true, false]);
  await append(await openLogs(a), 4n, events(4n, 4));
  const logs = await openLogs(b);
  await logs.retire(zod);
  await logs.forget(zod, 2);
  t.match(
    await migrate(a, b),
    { outcome: "moved", logs: [{ copied: 0n }, { copied: 79n }, { copied: 4n }] },
    "what was forgotten is copied anew",
  );
  await sameIn(t, await shipContent(a), b, "b has what a had");
  t.match([await writable(a), await writable(b)], [false, true]);
});

t.test("logs that the source has forgotten stay what they were, but are not current", async (t) => {
  const { a, b } = pair();
  await makeShip(a);
  await migrate(a, b);
  const logs = await openLogs(b);
  await logs.retire(zod);
  await logs.forget(zod, 2);
  await migrate(b, a);
  t.match(await shipContent(a), {
    currentLog: 0,
    logs: [
      { log: 1, state: "retired" },
      { log: 2, state: "retired", height: 76n },
    ],
  });
  await append(await openLogs(a), 1n, events(1n, 1));
  t.match(await shipContent(a), { currentLog: 3 }, "numbers are not used again");
});

t.test("a copy stays readable, and is kept", async (t) => {
  const { a, b } = pair();
  await makeShip(a);
  const before = await shipContent(a);
  t.match(await migrate(a, b, { copy: true }), { outcome: "copied" });
  await sameIn(t, before, a, "the source");
  await sameIn(t, before, b, "the copy");
  t.match([await writable(a), await writable(b)], [false, true]);
  await t.rejects((await openLogs(a)).retire(zod), { code: "ship-moved", message: /copied to lmdb:\/b/ });
  await t.rejects((await openLogs(a)).forget(zod, 1), { code: "ship-moved" });
  await t.rejects(migrate(a, new NamedKv("lmdb:/c")), { code: "ship-moved" }, "not into a third store: both would be written");
  t.match(await migrate(a, b), { outcome: "already" });
  t.equal(await (await openLogs(a)).retire(zod), 2, "once it is moved, too, it may be freed");
});

t.test("ships without events, and a log alone", async (t) => {
  const { a, b } = pair();
  const logs = await openLogs(a);
  const probe = await Probe.claim(logs);
  await probe.writer.commitAside([{ kind: "put", key: keys.vereEpoch({ ship: zod, log: 1 }, 0n), value: [Buffer.from("{}")] }], 2);
  await probe.release();
  t.match(await migrate(a, b), { outcome: "moved", logs: [{ log: 1, height: 0n, copied: 0n, extras: 1, digest: "" }] });
  t.match(await shipContent(b), { currentLog: 1, logs: [{ state: "open", epochs: [0n] }] });

  const { a: c, b: d } = pair();
  await makeShip(c);
  await t.rejects(migrate(c, d, { log: 1 }), { code: "migrate-refused" });
  t.match(await migrate(c, d, { log: 2 }), { outcome: "moved", logs: [{ log: 2 }] });
  t.match(await shipContent(d), { currentLog: 2, logs: [{ log: 2, height: 76n }] });
});

t.test("what is refused changes nothing", async (t) => {
  const { a, b } = pair();
  await t.rejects(migrate(a, b), { code: "no-such-ship" });
  await makeShip(a);
  await append(await openLogs(b), 1n, events(1n, 1));
  await t.rejects(migrate(a, b), { code: "migrate-exists" }, "the destination has the ship");
  await t.rejects(migrate(a, a), { code: "migrate-refused" });
  const probe = await Probe.claim(await openLogs(a));
  t.equal(probe.failed, null, "the source can still be written");
  await probe.release();

  // Two lines of one ship: a's is restored from a backup, as if it had never been moved.
  const { a: c, b: d } = pair();
  await makeShip(c);
  const backup = await c.get(keys.ship(zod));
  await migrate(c, d);
  await c.put(keys.ship(zod), backup ?? Buffer.alloc(0));
  await append(await openLogs(c), 77n, [Buffer.from("one history")]);
  await append(await openLogs(d), 77n, [Buffer.from("another one")]);
  const e = new NamedKv("lmdb:/e");
  await migrate(d, e);
  await t.rejects(migrate(c, d), { code: "migrate-differs", hint: /two histories/ });
  t.ok(await writable(c), "c is not marked");
  t.notOk(await writable(d));
  await append(await openLogs(e), 78n, [Buffer.from("longer")]);
  await migrate(e, d);
  await migrate(d, e);
});

t.test("a shorter source does not take the place of what is longer", async (t) => {
  const { a, b } = pair();
  await makeShip(a);
  const backup = await a.get(keys.ship(zod));
  await migrate(a, b);
  await a.put(keys.ship(zod), backup ?? Buffer.alloc(0));
  await append(await openLogs(b), 77n, events(77n, 1));
  await migrate(b, new NamedKv("lmdb:/c"));
  await t.rejects(migrate(a, b), { code: "migrate-ahead" });
  t.ok(await writable(a));
});

t.test("changed bytes in the source are found before it is left", async (t) => {
  const { a, b } = pair();
  await makeShip(a);
  const key = keys.filePiece({ ship: zod, log: 2 }, 5n, BigInt((await uploadOf(a)) ?? "0"), 1);
  await a.put(key, Buffer.alloc(524_288, "changed"));
  await t.rejects(migrate(a, b), { code: "migrate-differs", message: /north.bin of epoch 0i5/ });
  t.match([await writable(a), await writable(b)], [false, false]);
  await cancelMigration(await openLogs(a), await openLogs(b), zod, defer);
  t.match([await writable(a), await writable(b)], [true, false]);
});

async function uploadOf(kv: FaultyKv): Promise<string | null> {
  const value = await kv.get(keys.file({ ship: zod, log: 2 }, 5n, "north.bin"));
  return value === null ? null : (JSON.parse(String(value)) as { upload: string }).upload;
}

for (const applied of [false, true]) {
  t.test(`a crash at every commit (${applied ? "applied" : "lost"})`, async (t) => {
    for (let commit = 1, died = true; died; commit++) {
      const { a, b } = pair();
      await makeShip(a);
      const before = await shipContent(a);
      died = await crashAt(t, commit, applied, { from: a, to: b });
      const ready = [await writable(a), await writable(b)];
      t.not(ready.join(), "true,true", "never two");
      if (ready[0] === true) {
        await append(await openLogs(a), 77n, events(77n, 1));
      }
      const grown = ready[0] === true ? await shipContent(a) : before;
      await migrate(a, b);
      await sameIn(t, grown, b, "the next run finishes it");
      t.match([await writable(a), await writable(b)], [false, true]);
    }
  });
}

t.test("given up after a crash at every commit", async (t) => {
  let given = 0;
  for (let commit = 1, died = true; died; commit++) {
    const { a, b } = pair();
    await makeShip(a);
    const before = await shipContent(a);
    died = await crashAt(t, commit, true, { from: a, to: b });
    const both = commit % 2 === 0;
    try {
      await cancelMigration(await openLogs(a), both ? await openLogs(b) : null, zod, defer);
    } catch (error) {
      t.match(error, { code: "migrate-refused" });
      t.notOk(await writable(a), "it had left");
      continue;
    }
    given++;
    t.match([await writable(a), await writable(b)], [true, false]);
    await sameIn(t, before, a, "as it was");
    await append(await openLogs(a), 77n, events(77n, 1));
    await migrate(a, b);
    await sameIn(t, await shipContent(a), b, "another attempt");
  }
  t.ok(given > 20, `${given} times`);
});

t.test("interrupted between two events, and gone on", async (t) => {
  const { a, b } = pair();
  await makeShip(a, true);
  const stop = new AbortController();
  const at = (done: bigint): void => void (done > 8n && stop.abort(new Error("stopped")));
  await t.rejects(migrate(a, b, { at, signal: stop.signal }), { message: "stopped" });
  t.match([await writable(a), await writable(b)], [false, false]);
  t.match(await (await openLogs(b)).list(), [{ currentLog: 0, move: { state: "moving-from" }, logs: [{ state: "arriving" }] }]);
  await migrate(a, b);
  await sameIn(t, await shipContent(a), b, "whole");
});
