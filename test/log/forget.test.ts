// Forgetting a log: under a claim, so that it never reaches a log that has come back; beside a session; resumable; and without reading what it deletes.
import t, { type Test } from "tap";
import { keys } from "../../src/store/layout.ts";
import { type Fate, FaultyKv } from "./faulty-kv.ts";
import { append, events, migrate, NamedKv, shipContent, writable } from "./migrate-stores.ts";
import { openLogs, Probe, zod } from "./probe.ts";
import { settled, sharedKv, startProcess } from "./shared.ts";

const log1 = { ship: zod, log: 1 };

/** ~zod with a log of `blocks` blocks, retired. */
async function retired(kv: FaultyKv, blocks: number): Promise<void> {
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  for (let id = 1n; id <= BigInt(blocks); id++) {
    probe.push(id, events(id, 1));
    await probe.acknowledged(id);
  }
  await probe.release();
  await logs.retire(zod);
}

/** Nothing of a log is there. */
async function isGone(kv: FaultyKv): Promise<boolean> {
  const from = keys.log(log1);
  return (await kv.range(from, Buffer.concat([from, Buffer.from([0xff])]))).count === 0;
}

/** A forget that stands still before its n-th commit; what lets it go on, and what it ends with. */
async function standing(t: Test, inner: NamedKv, nth: number): Promise<() => Promise<unknown>> {
  const slow = new NamedKv(inner.name, inner);
  const logs = await openLogs(slow);
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  let commits = 0;
  slow.fate = async (): Promise<Fate> => {
    if (++commits === nth) await gate;
    return "done";
  };
  const ended = logs.forget(zod, 1).catch((error: unknown) => error);
  while (commits < nth) await settled();
  t.comment(`it stands before commit ${nth}`);
  return () => {
    go();
    return ended;
  };
}

t.test("one that stood still while the ship was brought back deletes nothing of it", async (t) => {
  // The claim, the mark, the rows, the record.
  for (const nth of [1, 2, 3, 4]) {
    const [a, b] = [new NamedKv("foundationdb:a"), new NamedKv("lmdb:/b")];
    await append(await openLogs(a), 1n, events(1n, 50));
    await migrate(a, b);
    await (await openLogs(a)).retire(zod);
    const goOn = await standing(t, a, nth);
    await migrate(b, a);
    const back = await shipContent(a);
    t.match(await goOn(), { code: "ship-busy", hint: /again/ });
    t.same(await shipContent(a), back, "all of it is there");
    t.match(back, { currentLog: 1, logs: [{ log: 1, state: "open", height: 50n }] });
    t.match([await writable(a), await writable(b)], [true, false]);
  }
});

t.test("beside a session of this process, which goes on", async (t) => {
  const kv = new FaultyKv();
  await retired(kv, 5);
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  probe.push(1n, events(1n, 3));
  await probe.acknowledged(3n);
  const epoch = await kv.get(keys.epoch(zod));
  await t.rejects(logs.forget(zod, 2), { code: "not-retired" });
  t.equal(await logs.forget(zod, 1), 5n);
  t.same(await kv.get(keys.epoch(zod)), epoch, "it was not disturbed");
  probe.push(4n, events(4n, 3));
  t.equal(await probe.acknowledged(6n), null);
  t.ok(await isGone(kv));
});

t.test("not beside another process's session, which would not know", async (t) => {
  const kv = sharedKv();
  await retired(kv, 5);
  const first = await startProcess(kv, { id: "one/1" });
  const second = await startProcess(kv, { id: "two/1" });
  const probe = await Probe.claim(first.logs);
  const forgetting = second.logs.forget(zod, 1).catch((error: unknown) => error);
  await Promise.all([first.clock.turn(6_000), second.clock.turn(6_000)]);
  t.match(await forgetting, { code: "ship-busy" });
  t.equal(await first.logs.forget(zod, 1), 5n, "its own process may");
  await probe.release();
});

for (const shared of [false, true]) {
  t.test(`while the current log is damaged, which stays as it is, in a store ${shared ? "that others share" : "of its own"}`, async (t) => {
    const kv = shared ? sharedKv() : new FaultyKv();
    await retired(kv, 5);
    const { logs } = await startProcess(kv, { id: "one/1" });
    const probe = await Probe.claim(logs);
    probe.push(1n, events(1n, 3));
    await probe.acknowledged(3n);
    await probe.release();
    const log2 = keys.log({ ship: zod, log: 2 });
    // What a writer left behind beyond a gap, and what should be a block.
    await kv.put(keys.piece({ ship: zod, log: 2 }, 9n, 1n, 0), Buffer.from("left behind"));
    await kv.put(keys.block({ ship: zod, log: 2 }, 50n), Buffer.from("no block"));
    await t.rejects(Probe.claim(logs), { code: "store-damaged" });
    const rows = async (): Promise<Buffer> => (await kv.range(log2, Buffer.concat([log2, Buffer.from([0xff])]))).bytes;
    const before = await rows();
    await t.rejects(logs.forget(zod, 2), { code: "not-retired" });
    t.equal(await logs.forget(zod, 1), 5n);
    t.ok(await isGone(kv));
    t.same(await rows(), before);
    // Nobody is kept out: what a claim meets is the damage again, and without it the log.
    await t.rejects(Probe.claim(logs), { code: "store-damaged" });
    await kv.delete(keys.block({ ship: zod, log: 2 }, 50n));
    const other = shared ? (await startProcess(kv, { id: "two/1" })).logs : logs;
    t.equal((await Probe.claim(other)).height, 3n);
  });
}

t.test("a session that comes while it runs is refused, and one that comes as it ends waits", async (t) => {
  const kv = sharedKv();
  await retired(kv, 5);
  const { logs } = await startProcess(kv, { id: "one/1" });
  let meanwhile: Promise<unknown> | null = null;
  let ending: Promise<Probe> | null = null;
  kv.fate = ([commit]) => {
    const isMark = commit?.witness?.equals(keys.logRecord(log1)) === true;
    if (isMark) meanwhile = Probe.claim(logs).catch((error: unknown) => error);
    const isRelease = commit?.writes.some((write) => write.kind === "put" && String(write.value[0]).includes("released")) === true;
    if (isRelease && meanwhile !== null) ending ??= Probe.claim(logs);
    return "done";
  };
  t.equal(await logs.forget(zod, 1), 5n);
  t.match(await meanwhile, { code: "ship-busy", message: /seguro forget/ });
  const next = await ending;
  t.equal(next === null ? null : (next as Probe).height, 0n);
});

t.test("the session under whose claim it runs is fenced", async (t) => {
  const kv = new NamedKv("foundationdb:a");
  kv.shared = true;
  await retired(kv, 5);
  const slow = new NamedKv(kv.name, kv);
  slow.shared = true;
  const first = await startProcess(slow, { id: "one/1" });
  const second = await startProcess(kv, { id: "two/1" });
  const probe = await Probe.claim(first.logs);
  slow.fate = async (): Promise<Fate> => {
    slow.fate = () => "done";
    await second.logs.fence(zod, "a test");
    return "done";
  };
  await t.rejects(first.logs.forget(zod, 1), { code: "ship-busy" });
  t.match(await second.logs.summary(zod), { logs: [{ log: 1, state: "retired", height: 5n }] });
  await probe.release();
});

t.test("interrupted at every commit, and said again", async (t) => {
  let interrupted = 0;
  for (let nth = 1, died = true; died; nth++) {
    const kv = new FaultyKv();
    await retired(kv, 2_100);
    const dying = new FaultyKv(kv.inner);
    const logs = await openLogs(dying);
    let commits = 0;
    dying.fate = () => (++commits < nth ? "done" : { error: new Error("the machine stopped"), applied: commits === nth });
    died = await logs.forget(zod, 1).then(
      () => false,
      () => true,
    );
    if (died && !(await isGone(kv))) {
      interrupted++;
      await (await openLogs(kv)).forget(zod, 1);
    }
    t.ok(await isGone(kv));
    t.match(await (await openLogs(kv)).summary(zod), { currentLog: 0, logs: [] });
  }
  t.ok(interrupted >= 4, `${interrupted} times`);
});

t.test("what it reads and commits follows from the bytes, and is little", async (t) => {
  const kv = new FaultyKv();
  await retired(kv, 3_000);
  const logs = await openLogs(kv);
  let [reads, commits] = [0, 0];
  kv.onRead = () => void reads++;
  kv.fate = () => {
    commits++;
    return "done";
  };
  t.equal(await logs.forget(zod, 1), 3_000n);
  t.ok(await isGone(kv));
  t.ok(commits <= 8, `${commits} commits for 3,000 blocks`);
  t.ok(reads < 60, `${reads} reads`);
});

t.test("large blocks and pieces are deleted some megabytes at a time, and read once in a stretch", async (t) => {
  const kv = new FaultyKv();
  const logs = await openLogs(kv);
  const probe = await Probe.claim(logs);
  const mebibyte = Buffer.alloc(1 << 20, "an event;");
  for (let id = 1n; id <= 80n; id += 8n) {
    probe.push(id, Array<Buffer>(8).fill(mebibyte));
    await probe.acknowledged(id + 7n);
  }
  probe.push(81n, [Buffer.alloc(72 << 20, "a huge event;")]);
  await probe.acknowledged(81n);
  await probe.release();
  await logs.retire(zod);
  const deleted: number[] = [];
  const range = kv.range.bind(kv);
  let readBytes = 0;
  kv.range = async (...args) => {
    const rows = await range(...args);
    readBytes += rows.bytes.length;
    return rows;
  };
  kv.fate = async ([commit]): Promise<Fate> => {
    for (const write of commit?.writes ?? []) {
      if (write.kind === "delete-range") deleted.push((await range(write.from, write.to, { limitBytes: 2 ** 30 })).bytes.length >> 20);
    }
    return "done";
  };
  t.equal(await logs.forget(zod, 1), 81n);
  t.ok(await isGone(kv));
  t.ok(deleted.length >= 4 && Math.max(...deleted) <= 66, `MiB a commit: ${deleted}`);
  t.ok(readBytes < 40 << 20, `${readBytes} bytes read`);
});

t.test(
  "a stretch whose first row is unlike the others has no more rows, and no more bytes of pieces, than what is known allows",
  async (t) => {
    const kv = new FaultyKv();
    const logs = await openLogs(kv);
    const probe = await Probe.claim(logs);
    // A block of many events, by which a stretch was reckoned to have millions of them; then blocks of one event each.
    probe.push(1n, events(1n, 5_000, 1));
    await probe.acknowledged(5_000n);
    for (let id = 5_001n; id <= 11_000n; id++) {
      probe.push(id, events(id, 1, 1));
      await probe.acknowledged(id);
    }
    await probe.release();
    await logs.retire(zod);
    const mebibytes = Buffer.alloc(4 << 20);
    for (let index = 0; index < 20; index++) {
      await kv.put(keys.piece(log1, 20_000n, 1n, index), index === 0 ? Buffer.from("small") : mebibytes);
    }
    let [rowsMax, bytesMax] = [0, 0];
    kv.fate = async ([commit]): Promise<Fate> => {
      for (const write of commit?.writes ?? []) {
        if (write.kind !== "delete-range") continue;
        const { count, bytes } = await kv.inner.range(write.from, write.to, { limitBytes: 2 ** 30 });
        [rowsMax, bytesMax] = [Math.max(rowsMax, count), Math.max(bytesMax, bytes.length)];
      }
      return "done";
    };
    await logs.forget(zod, 1);
    t.ok(await isGone(kv));
    t.ok(rowsMax > 500 && rowsMax <= 4_096, `${rowsMax} rows`);
    t.ok(bytesMax <= 65 << 20, `${bytesMax} bytes`);
  },
);
