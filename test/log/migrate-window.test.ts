// What an operator may do between any two commits of a migration that died there: whatever it is, no acknowledged event is lost, and the ship ends in one store.
import t, { type Test } from "tap";
import { acceptMigration, cancelMigration } from "../../src/log/migrate-end.ts";
import { keys } from "../../src/store/layout.ts";
import { append, crashAt, events, makeShip, migrate, NamedKv, shipContent, writable } from "./migrate-stores.ts";
import { openLogs, zod } from "./probe.ts";

const defer = (run: () => void): void => void setImmediate(run);
/** What may be said of a ship that is on its way. */
const REFUSALS = ["ship-moved", "migrate-refused", "no-such-log", "not-retired"];

/** Does it, or is refused; whether it was done. */
async function may(t: Test, what: string, work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    t.ok(REFUSALS.includes((error as { code: string }).code), `${what}: ${String(error)}`);
    return false;
  }
}

async function retire(t: Test, a: NamedKv): Promise<void> {
  await may(t, "retire", (await openLogs(a)).retire(zod));
}

async function forgetAll(t: Test, a: NamedKv): Promise<void> {
  for (const log of [1, 2]) await may(t, "forget", (await openLogs(a)).forget(zod, log));
}

async function saysOf(kv: NamedKv): Promise<string> {
  return String(await kv.get(keys.ship(zod)));
}

/** Moves a ship from a to b, again and again: each time both stores die with another commit, after which `act` happens. Gives what b ended with. */
async function dieAndAct(t: Test, act: (stores: { a: NamedKv; b: NamedKv; before: object }) => Promise<void>): Promise<void> {
  const seen = new Set<string>();
  for (let commit = 1, died = true; died; commit++) {
    const [a, b] = [new NamedKv("lmdb:/a"), new NamedKv("lmdb:/b")];
    await makeShip(a);
    const before = await shipContent(a);
    died = await crashAt(t, commit, true, { from: a, to: b });
    seen.add(/moving|moved/.exec(await saysOf(a))?.[0] ?? "here");
    await act({ a, b, before });
  }
  t.same([...seen], ["here", "moving", "moved"], "before, while and after the source was left");
}

for (const [what, act] of Object.entries({
  retired: retire,
  forgotten: forgetAll,
  "retired and forgotten": async (t: Test, a: NamedKv) => {
    await retire(t, a);
    await forgetAll(t, a);
  },
})) {
  t.test(`the source is ${what}`, async (t) => {
    await dieAndAct(t, async ({ a, b, before }) => {
      const onItsWay = !(await writable(a));
      if (!onItsWay) return;
      await act(t, a);
      await migrate(a, b);
      t.same(await shipContent(b), before, "the next run finishes it with everything");
      t.match([await writable(a), await writable(b)], [false, true]);
    });
  });
}

t.test("given up, and the source freed after that was refused", async (t) => {
  let given = 0;
  await dieAndAct(t, async ({ a, b, before }) => {
    const left = /movedTo/.test(await saysOf(a));
    const done = await may(t, "cancel", cancelMigration(await openLogs(a), await openLogs(b), zod, defer));
    t.equal(done, !left, "it may be given up until the source has been left");
    if (done) {
      given++;
      t.same(await shipContent(a), before);
      t.match([await writable(a), await writable(b)], [true, false]);
      if (/movedTo/.test(await saysOf(b))) {
        for (const { log } of (await (await openLogs(b)).summary(zod)).logs) await (await openLogs(b)).forget(zod, log);
        t.match(await shipContent(b), { logs: [] }, "what had come can be forgotten");
      }
      await append(await openLogs(a), 77n, events(77n, 1));
    } else {
      await retire(t, a);
      await forgetAll(t, a);
    }
    const grown = done ? await shipContent(a) : before;
    await migrate(a, b);
    t.same(await shipContent(b), grown);
  });
  t.ok(given > 20, `${given} times`);
});

t.test("the source is lost altogether", async (t) => {
  const outcomes: boolean[] = [];
  await dieAndAct(t, async ({ b, before }) => {
    if ((await b.get(keys.ship(zod))) === null || (await writable(b))) return;
    const said = await saysOf(b);
    const accepted = await may(t, "accept", acceptMigration(await openLogs(b), zod, "lmdb:/a", defer));
    outcomes.push(accepted);
    if (accepted) {
      t.same(await shipContent(b), before, "all of it");
      t.ok(await writable(b));
    } else {
      t.equal(await saysOf(b), said, "nothing was changed");
      t.notOk(await writable(b));
    }
  });
  const first = outcomes.indexOf(true);
  t.ok(first > 20, "not before everything is there");
  t.notOk(outcomes.slice(first).includes(false), "then always");
  t.ok(outcomes.length - first >= 2, "before and after the source had been left");
});

/** Moves a ship from a to b, where b dies with the first commit that `text` is part of, which still takes effect. */
async function dieWith(t: Test, a: NamedKv, b: NamedKv, text: string): Promise<void> {
  const dying = new NamedKv(b.name, b);
  let dead = false;
  const error = new Error("the machine stopped");
  dying.fate = (group) => {
    if (dead) return { error, applied: false };
    dead = group.some(({ writes }) => writes.some((write) => write.kind === "put" && String(Buffer.concat(write.value)).includes(text)));
    return dead ? { error, applied: true } : "done";
  };
  await t.rejects(migrate(a, dying), { message: /the machine stopped/ }, text);
}

t.test("only what its own record says is accepted", async (t) => {
  const [a, b] = [new NamedKv("lmdb:/a"), new NamedKv("lmdb:/b")];
  const accept = async (from: string) => acceptMigration(await openLogs(b), zod, from, defer);
  await t.rejects(accept("lmdb:/a"), { code: "no-such-ship" });
  await makeShip(a);
  await dieWith(t, a, b, '"proven":true');
  await t.rejects(accept("lmdb:/elsewhere"), { code: "migrate-refused", message: /lmdb:\/elsewhere/ });
  // The next attempt begins by taking it back: what it has by then may be more than what was proven.
  await dieWith(t, a, b, '"movingFrom"');
  t.notMatch(await saysOf(b), /proven/);
  await t.rejects(accept("lmdb:/a"), { code: "migrate-refused" });
  await migrate(a, b);
  await t.rejects(accept("lmdb:/a"), { code: "migrate-refused" }, "it has arrived");
});

t.test("a source that comes back after its ship was accepted elsewhere cannot have it back", async (t) => {
  const [a, b] = [new NamedKv("lmdb:/a"), new NamedKv("lmdb:/b")];
  await makeShip(a);
  await dieWith(t, a, b, '"proven":true');
  await acceptMigration(await openLogs(b), zod, "lmdb:/a", defer);
  await t.rejects(migrate(a, b), { code: "migrate-exists" });
  await t.rejects(cancelMigration(await openLogs(a), await openLogs(b), zod, defer), {
    code: "migrate-refused",
    message: /goes on in lmdb:\/b/,
  });
  t.match([await writable(a), await writable(b)], [false, true]);
});

t.test("a source that was left, and a target that has only a part", async (t) => {
  const [a, b] = [new NamedKv("lmdb:/a"), new NamedKv("lmdb:/b")];
  await makeShip(a);
  await dieWith(t, a, b, '"arriving"');
  const backup = await saysOf(b);
  await migrate(a, b);
  await b.put(keys.ship(zod), Buffer.from(backup));
  const left = await saysOf(a);
  await t.rejects(migrate(a, b), { code: "migrate-refused", message: /has a part of ~zod only/ });
  t.same([await saysOf(a), await saysOf(b)], [left, backup]);
});

t.test("a copy that has not arrived", async (t) => {
  const [a, b] = [new NamedKv("lmdb:/a"), new NamedKv("lmdb:/b")];
  await makeShip(a);
  const before = await shipContent(a);
  const dying = new NamedKv("lmdb:/b", b);
  dying.fate = async () => (/copiedTo/.test(await saysOf(a)) ? { error: new Error("the machine stopped"), applied: false } : "done");
  await t.rejects(migrate(a, dying, { copy: true }), { message: /the machine stopped/ });
  t.match(await migrate(a, b, { copy: true }), { outcome: "copied", logs: [] });
  t.same(await shipContent(b), before);
  t.match(await saysOf(a), "copiedTo");
});
