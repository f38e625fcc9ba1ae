// The FoundationDB engine, outcome by outcome: what it asks of the database, and what it answers when the database fails.
import t from "tap";
import { systemTime } from "../../src/operate/clock.ts";
import { StoreError } from "../../src/store/errors.ts";
import { FoundationKv } from "../../src/store/foundationdb/engine.ts";
import type { Time } from "../../src/store/foundationdb/time.ts";
import type { Commit } from "../../src/store/kv.ts";
import { eachRow } from "../../src/store/rows.ts";
import { FakeDatabase } from "./foundationdb-fake.ts";

const b = (text: string) => Buffer.from(text, "latin1");
const EPOCH = b("epoch");

/** As a log's writer commits: one write, witnessed, if the epoch record is still its own. */
const block = (id: number, epoch = "1", bytes = `block ${id}`): Commit => {
  const key = b(`block ${String(id).padStart(6, "0")}`);
  return { checks: [{ key: EPOCH, value: b(epoch) }], writes: [{ kind: "put", key, value: [b(bytes)] }], witness: key };
};
const claim = (from: string | null, to: string): Commit => ({
  checks: [{ key: EPOCH, value: from === null ? null : b(from) }],
  writes: [{ kind: "put", key: EPOCH, value: [b(to)] }],
  witness: EPOCH,
});

/** Backs off with `wait` instead of waiting; longer times are as always. */
function hasty(wait: () => Promise<void> = async () => undefined): Time {
  return { ...systemTime, sleep: (ms, signal) => (ms < 100 ? wait() : systemTime.sleep(ms, signal)) };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );
}

/** An engine under epoch 1 whose next commit knows the epoch record without reading it. */
async function writing(): Promise<{ database: FakeDatabase; kv: FoundationKv }> {
  const database = new FakeDatabase();
  const kv = new FoundationKv(database, { prefix: b("s/"), time: hasty() });
  await kv.commit([claim(null, "1")]);
  await kv.commit([block(0)]);
  database.asked = [];
  return { database, kv };
}

async function blocksOf(kv: FoundationKv): Promise<string[]> {
  return Array.from(eachRow(await kv.range(b("block"), b("c"))), (row) => row.value.toString("latin1"));
}

t.test("one round trip a commit: no read, no read version", async (t) => {
  const { database, kv } = await writing();
  for (let id = 1; id <= 3; id++) t.strictSame(await kv.commit([block(id)]), ["committed"]);
  t.strictSame(database.asked, ["begin", "commit", "begin", "commit", "begin", "commit"]);
  t.strictSame(await blocksOf(kv), ["block 0", "block 1", "block 2", "block 3"]);
});

t.test("so many commits, or bytes, and no more without a read version, by which a cluster slows its clients", async (t) => {
  const { database, kv } = await writing();
  for (let id = 1; id <= 300; id++) await kv.commit([block(id)]);
  const small = database.asked.filter((what) => what === "version").length;
  t.ok(small >= 4 && small <= 6, `${small} read versions for 300 small commits`);
  database.asked = [];
  for (let id = 301; id <= 320; id++) await kv.commit([block(id, "1", "x".repeat(500_000))]);
  const large = database.asked.filter((what) => what === "version").length;
  t.ok(large >= 6, `${large} read versions for 20 large ones`);
});

t.test("several commits in flight conflict with nothing", async (t) => {
  const { database, kv } = await writing();
  const outcomes = await Promise.all([1, 2, 3, 4, 5].map((id) => kv.commit([block(id)])));
  t.strictSame(outcomes.flat(), Array(5).fill("committed"));
  t.notOk(database.asked.includes("range"), "none reads");
});

t.test("a record of which nothing is known is read, and known afterwards; what is older than versions last is read again", async (t) => {
  let nowMs = 0;
  const database = new FakeDatabase();
  const kv = new FoundationKv(database, { prefix: b("s/"), time: { ...systemTime, nowMs: () => nowMs } });
  await kv.commit([claim(null, "1")]);
  database.asked = [];
  await kv.commit([block(1)]);
  t.strictSame(database.asked, ["begin", "version", "range", "commit"], "what was written is not known to be there");
  database.asked = [];
  await kv.commit([block(2)]);
  t.strictSame(database.asked, ["begin", "commit"]);
  nowMs += 4500;
  database.asked = [];
  await kv.commit([block(3)]);
  t.strictSame(database.asked, ["begin", "version", "range", "commit"]);
});

t.test("after another has claimed, no commit takes effect: also when both landed at one version", async (t) => {
  for (const together of [false, true]) {
    const { database, kv } = await writing();
    const other = new FoundationKv(database, { prefix: b("s/"), time: systemTime });
    database.together = together;
    t.strictSame(await kv.commit([block(1)]), ["committed"]);
    t.strictSame(await other.commit([claim("1", "2")]), ["committed"]);
    database.together = false;
    t.strictSame(await kv.commit([block(2)]), ["check-failed"]);
    t.strictSame(await blocksOf(kv), ["block 0", "block 1"], together ? "at one version" : "at versions of their own");
  }
});

t.test("too old a version: the check is read", async (t) => {
  const { database, kv } = await writing();
  database.version += 6_000_000n;
  t.strictSame(await kv.commit([block(1)]), ["committed"]);
  t.strictSame(database.asked, ["begin", "commit", "begin", "version", "range", "commit"]);
  t.equal((await kv.stats())["retries.1007"], 1);
});

t.test("errors after which nothing was done are tried again until it goes well", async (t) => {
  const { database, kv } = await writing();
  for (const error of [1007, 1009, 1020, 1037, 1038, 1042, 1051, 1078, 1213, 1223]) {
    database.fates = [{ error }, { error }, { error }];
    t.strictSame(await kv.commit([block(error)]), ["committed"], `commit: ${error}`);
    database.readErrors = [error, error];
    t.equal((await kv.get(b("epoch")))?.toString(), "1", `read: ${error}`);
  }
});

const UNKNOWN = [1021, 1022, 1031, 1039, 1100];

t.test("an unknown outcome: it had landed", async (t) => {
  for (const error of UNKNOWN) {
    const { database, kv } = await writing();
    database.fates = [{ error, lands: "now" }];
    t.strictSame(await kv.commit([block(1)]), ["committed"], String(error));
    t.equal(database.asked.filter((what) => what === "commit").length, 1, "found by reading, not sent again");
  }
});

t.test("an unknown outcome: it had not landed", async (t) => {
  for (const error of UNKNOWN) {
    const { database, kv } = await writing();
    database.fates = [{ error }, { error }];
    t.strictSame(await kv.commit([block(1)]), ["committed"], String(error));
    t.strictSame(await blocksOf(kv), ["block 0", "block 1"]);
  }
});

t.test("an unknown outcome: it lands late, and does not undo what came after it", async (t) => {
  const { database, kv } = await writing();
  const put = (value: string): Commit => ({ ...block(1, "1", value) });
  database.fates = [{ error: 1031, lands: "late" }];
  t.strictSame(await kv.commit([put("first")]), ["committed"]);
  t.strictSame(await kv.commit([put("second")]), ["committed"]);
  t.strictSame(database.landLate(), [false], "it finds its witness changed");
  t.strictSame(await blocksOf(kv), ["block 0", "second"]);
});

t.test("an unknown outcome under an epoch that has gone: check-failed, and it never lands", async (t) => {
  const database = new FakeDatabase();
  const other = new FoundationKv(database, { prefix: b("s/"), time: systemTime });
  let between = async (): Promise<void> => undefined;
  const kv = new FoundationKv(database, { prefix: b("s/"), time: hasty(() => between()) });
  await kv.commit([claim(null, "1")]);
  between = async () => {
    t.strictSame(await other.commit([claim("1", "2")]), ["committed"], "another claims before the outcome is read");
  };
  database.fates = [{ error: 1021, lands: "late" }];
  t.strictSame(await kv.commit([block(1)]), ["check-failed"]);
  t.strictSame(database.landLate(), [false]);
  t.strictSame(await blocksOf(other), []);
});

t.test("an unknown claim: the record itself says whose it is", async (t) => {
  const { database, kv } = await writing();
  database.fates = [{ error: 1021, lands: "now" }];
  t.strictSame(await kv.commit([claim("1", "2")]), ["committed"]);
  database.fates = [{ error: 1021 }];
  t.strictSame(await kv.commit([claim("2", "3")]), ["committed"]);
  t.strictSame(await kv.commit([claim("2", "3")]), ["check-failed"]);
});

t.test("an unknown outcome that no witness resolves rejects", async (t) => {
  const { database, kv } = await writing();
  const { witness: _, ...unwitnessed } = block(1);
  database.fates = [{ error: 1021, lands: "now" }];
  const error: unknown = await kv.commit([unwitnessed]).catch((reason: unknown) => reason);
  t.match(error, { code: "store-failed", message: /not known/ });
  t.equal(
    await codeOf(kv.commit([{ ...unwitnessed, witness: b("other") }])),
    "RangeError: a witness is the key of one of its commit's puts",
  );
});

t.test("errors that trying again does not help", async (t) => {
  const { database, kv } = await writing();
  database.fates = [{ error: 2101 }, { error: 1225 }];
  t.equal(await codeOf(kv.commit([block(1)])), "store-failed");
  t.equal(await codeOf(kv.commit([block(1)])), "store-full");
  database.readErrors = [1510, 2108];
  t.equal(await codeOf(kv.get(b("x"))), "store-failed");
  t.equal(await codeOf(kv.range(b("x"), b("y"))), "store-failed");
  t.strictSame(await kv.commit([block(1)]), ["committed"], "and the engine goes on");
});

t.test("a range that its snapshot does not live to finish asks for less", async (t) => {
  const { database, kv } = await writing();
  for (let id = 1; id < 8; id++) await kv.commit([block(id)]);
  database.readErrors = [1007, 1007];
  const rows = await kv.range(b("block"), b("c"), { limitBytes: 8 * 27 });
  t.strictSame([rows.count, rows.more], [2, true], "a quarter of it after two attempts");
});

t.test("a write that is no write takes no transaction's word for its checks", async (t) => {
  const { kv } = await writing();
  const nothing = (epoch: string): Commit => ({
    checks: [{ key: EPOCH, value: b(epoch) }],
    writes: [{ kind: "delete-range", from: b("b"), to: b("a") }],
  });
  t.strictSame(await kv.commit([nothing("1")]), ["committed"]);
  t.strictSame(await kv.commit([nothing("2")]), ["check-failed"]);
});

t.test("close gives up what a cluster that is away does not answer", async (t) => {
  const { database, kv } = await writing();
  const comeBack = database.goAway();
  const [commit, read] = [codeOf(kv.commit([block(1)])), codeOf(kv.get(EPOCH))];
  const closing = kv.close(100);
  await new Promise((resolve) => setTimeout(resolve, 150));
  comeBack();
  t.equal(await commit, "store-failed", "whether it took effect is not known");
  t.equal(await read, "store-closed");
  await closing;
  t.ok(database.closed);
});
