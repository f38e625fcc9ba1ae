// Whoever waits for a cluster is told so: after 1, 10 and 60 s, each further minute, and when it is over.
import t from "tap";
import { FoundationKv } from "../../src/store/foundationdb/engine.ts";
import { FakeDatabase } from "./foundationdb-fake.ts";

/** Time that passes when somebody sleeps, as fast as the event loop turns. */
function quickTime() {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    random: () => 0,
    sleep: async (ms: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      nowMs += ms;
    },
  };
}

t.test("a call that is not answered", async (t) => {
  const database = new FakeDatabase();
  const time = quickTime();
  const said: string[] = [];
  const kv = new FoundationKv(database, {
    prefix: Buffer.alloc(0),
    time,
    onStall: (seconds, what) => said.push(`${seconds} ${what}`),
    onResume: () => said.push("resumed"),
  });
  const comeBack = database.goAway();
  const reads = [kv.get(Buffer.from("a")), kv.get(Buffer.from("b"))];
  while (time.nowMs() < 190_000) await new Promise((resolve) => setImmediate(resolve));
  t.match(await kv.stats(), { callsUnderWay: 2, oldestCallSeconds: 190 });
  comeBack();
  await Promise.all(reads);
  t.strictSame(said, ["1 a read", "10 a read", "60 a read", "120 a read", "180 a read", "resumed"]);
  await kv.get(Buffer.from("a"));
  await kv.close();
  t.equal(said.length, 6, "calls that are answered say nothing");
});

t.test("a call that is refused again and again says why", async (t) => {
  const database = new FakeDatabase();
  const time = quickTime();
  const said: string[] = [];
  const kv = new FoundationKv(database, { prefix: Buffer.alloc(0), time, onStall: (seconds, what) => said.push(`${seconds} ${what}`) });
  database.readErrors = Array(40).fill(1038);
  await kv.get(Buffer.from("a"));
  t.match(said[0], /^1 a read; the last answer was: the database is locked \(1038\)$/);
  t.equal((await kv.stats())["retries.1038"], 40);
  await kv.close();
});
