// The simulated database against FoundationDB's rules: versions, conflicts, batches that share a version, limits, and what cannot be known.
import t, { type Test } from "tap";
import { type Database, type Transaction, TransactionError } from "../../src/store/foundationdb/transactions.ts";
import { Chance } from "./chance.ts";
import { Cluster } from "./cluster.ts";
import { Connection } from "./database.ts";
import { type FaultRates, NO_FAULTS } from "./faults.ts";
import { Scheduler } from "./scheduler.ts";

interface Ground {
  readonly database: Database;
  readonly cluster: Cluster;
  readonly scheduler: Scheduler;
}

const b = (text: string): Buffer => Buffer.from(text, "latin1");

/** Runs `body` in simulated time. */
function on(title: string, rates: Partial<FaultRates>, body: (t: Test, ground: Ground) => Promise<void>): void {
  t.test(title, async (t) => {
    const chance = new Chance(7);
    const scheduler = new Scheduler(chance.fork());
    const cluster = new Cluster(scheduler, chance.fork(), { ...NO_FAULTS, ...rates }, 0.5);
    const database = new Connection(cluster, scheduler, chance.fork(), { deliver: (run) => run() });
    let ended = false;
    const running = body(t, { database, cluster, scheduler }).finally(() => {
      ended = true;
    });
    t.ok(await scheduler.run(() => ended, 1_000_000), "it comes to an end");
    await running;
  });
}

function put(database: Database, key: string, value: string): Promise<Transaction> {
  const transaction = database.begin();
  transaction.set(b(key), b(value));
  return transaction.commit().then(() => transaction);
}

async function codeOf(work: Promise<unknown>): Promise<number | null> {
  try {
    await work;
    return null;
  } catch (error) {
    return error instanceof TransactionError ? error.code : -1;
  }
}

on("a transaction reads one version, whatever is written meanwhile", {}, async (t, { database }) => {
  await put(database, "a", "1");
  const reader = database.begin();
  t.same(await reader.get(b("a"), true), b("1"));
  await put(database, "a", "2");
  t.same(await reader.get(b("a"), true), b("1"));
  t.same(await database.begin().get(b("a"), true), b("2"));
});

on("a commit conflicts with what was written since its read version, in keys and ranges that it read", {}, async (t, { database }) => {
  const first = await put(database, "a", "1");
  const plain = database.begin();
  plain.setReadVersion(first.committedVersion());
  plain.addReadConflictKey(b("a"));
  plain.set(b("x"), b(""));
  t.equal(await codeOf(plain.commit()), null, "nothing happened since");
  const range = database.begin();
  await range.range({ from: b("a"), to: b("c"), limitRows: 10, targetBytes: 1000, reverse: false }, false);
  const key = database.begin();
  await key.get(b("b"), false);
  const snapshot = database.begin();
  await snapshot.get(b("b"), true);
  await put(database, "b", "2");
  for (const transaction of [range, key, snapshot]) transaction.set(b("y"), b(""));
  t.equal(await codeOf(range.commit()), 1020);
  t.equal(await codeOf(key.commit()), 1020);
  t.equal(await codeOf(snapshot.commit()), null, "snapshot reads do not conflict");
});

on("clears conflict over their whole range, and delete what is there", {}, async (t, { database }) => {
  await put(database, "a1", "x");
  const reader = database.begin();
  t.equal(await reader.get(b("a7"), false), null);
  const clearer = database.begin();
  clearer.clearRange(b("a"), b("b"));
  await clearer.commit();
  reader.set(b("z"), b(""));
  t.equal(await codeOf(reader.commit()), 1020);
  t.equal(await database.begin().get(b("a1"), true), null);
});

on("what lands together shares a version, and still conflicts", {}, async (t, { database }) => {
  let shared = 0;
  for (let i = 0; i < 50; i++) {
    const both = await Promise.all([put(database, `k${i}`, "1"), put(database, `l${i}`, "2")]);
    shared += both[0].committedVersion().equals(both[1].committedVersion()) ? 1 : 0;
    const racers = [database.begin(), database.begin()];
    for (const racer of racers) {
      await racer.get(b(`k${i}`), false);
      racer.set(b(`k${i}`), b("3"));
    }
    const codes = await Promise.all(racers.map((racer) => codeOf(racer.commit())));
    t.same(codes.sort(), [1020, null], "one of two that read and write the same key wins");
  }
  t.ok(shared > 5, `${shared} of 50 pairs`);
});

on("five seconds: what is older is refused; so is the future", {}, async (t, { database, scheduler }) => {
  const version = (await put(database, "a", "2")).committedVersion();
  const ahead = Buffer.alloc(8);
  ahead.writeBigUInt64BE(version.readBigUInt64BE(0) + 60_000_000n);
  const future = database.begin();
  future.setReadVersion(ahead);
  t.equal(await codeOf(future.get(b("a"), true)), 1009);
  await scheduler.sleep(5_100);
  const reader = database.begin();
  reader.setReadVersion(version);
  t.equal(await codeOf(reader.get(b("a"), true)), 1007);
  const writer = database.begin();
  writer.setReadVersion(version);
  writer.addReadConflictKey(b("a"));
  writer.set(b("b"), b(""));
  t.equal(await codeOf(writer.commit()), 1007);
});

on("limits of keys, values and transactions", {}, async (t, { database }) => {
  const big = (count: number, value: number): Promise<void> => {
    const transaction = database.begin();
    for (let i = 0; i < count; i++) transaction.set(b(`k${i}`), Buffer.alloc(value));
    return transaction.commit();
  };
  t.equal(await codeOf(big(1, 100_000)), null);
  t.equal(await codeOf(big(1, 100_001)), 2103);
  t.equal(await codeOf(big(99, 100_000)), null);
  t.equal(await codeOf(big(101, 100_000)), 2101);
  const transaction = database.begin();
  transaction.set(Buffer.alloc(10_001), b(""));
  t.equal(await codeOf(transaction.commit()), 2102);
});

on("ranges: order, limits, more", {}, async (t, { database }) => {
  for (const key of ["a", "b", "c", "d"]) await put(database, key, key.repeat(10));
  const keys = async (limitRows: number, targetBytes: number, reverse: boolean) => {
    const { rows, more } = await database.begin().range({ from: b("a"), to: b("d"), limitRows, targetBytes, reverse }, true);
    return [rows.map(([key]) => key.toString()).join(""), more];
  };
  t.same(await keys(10, 1000, false), ["abc", false]);
  t.same(await keys(10, 1000, true), ["cba", false]);
  t.same(await keys(2, 1000, false), ["ab", true]);
  t.same(await keys(10, 12, false), ["ab", true]);
  t.same(await keys(10, 1, true), ["c", true]);
});

on("a late commit lands after its error, and not at all when what it read has changed", { unknownLate: 1000 }, async (t, ground) => {
  const { database, cluster, scheduler } = ground;
  t.match(String(await codeOf(put(database, "a", "late"))), /^10(21|31|39)$/);
  await scheduler.sleep(60_000);
  t.same(await database.begin().get(b("a"), true), b("late"));
  const loser = database.begin();
  await loser.get(b("a"), false);
  loser.set(b("a"), b("too late"));
  cluster.rates = NO_FAULTS;
  await put(database, "a", "new");
  t.equal(await codeOf(loser.commit()), 1020);
});

on("while the cluster is away nothing is answered", {}, async (t, { database, cluster, scheduler }) => {
  cluster.goAway(30_000, true);
  const beforeMs = scheduler.nowMs;
  await put(database, "a", "1");
  t.ok(scheduler.nowMs - beforeMs >= 30_000);
});

on("a quota that is used up refuses commits, and then no more; reads go on", {}, async (t, { cluster, database, scheduler }) => {
  await put(database, "a", "1");
  cluster.overQuota(1_000, 1);
  t.equal(await codeOf(put(database, "a", "2")), 1225);
  t.same(await database.begin().get(b("a"), true), b("1"));
  await scheduler.sleep(1_000);
  t.equal(await codeOf(put(database, "a", "2")), null);
});

on("disks without space let no commit end; reads go on", {}, async (t, { cluster, database, scheduler }) => {
  await put(database, "a", "1");
  cluster.withoutSpace(1_000);
  const began = scheduler.nowMs;
  const waiting = put(database, "a", "2");
  await scheduler.sleep(500);
  t.same(await database.begin().get(b("a"), true), b("1"));
  await waiting;
  t.ok(scheduler.nowMs - began >= 1_000);
  t.same(await database.begin().get(b("a"), true), b("2"));
});
