// Two sidecars on one store: who is refused, what is shown of the other, fencing, reading what the other writes, and a store that is away.
import t, { type Test } from "tap";
import type { Client } from "../../src/client/client.ts";
import { LEASE_MS } from "../../src/log/beat.ts";
import { splitRecords } from "../../src/native/records.ts";
import type { FaultyKv } from "../log/faulty-kv.ts";
import { identity } from "../log/probe.ts";
import { sharedKv, TurnedClock } from "../log/shared.ts";
import { connect, someRecords, startSidecar, type TestSidecar } from "./helpers.ts";

interface Site {
  readonly sidecar: TestSidecar;
  readonly clock: TurnedClock;
}

async function site(t: Test, kv: FaultyKv, name: string): Promise<Site> {
  const clock = new TurnedClock();
  const writer = { ...identity, id: `${name}/1`, host: name, pid: 11, boot: name };
  const sidecar = await startSidecar({ kv, clock, writer });
  t.teardown(() => sidecar.stop());
  return { sidecar, clock };
}

async function two(t: Test): Promise<{ kv: FaultyKv; east: Site; west: Site; writer: Client }> {
  const kv = sharedKv();
  const east = await site(t, kv, "east");
  const west = await site(t, kv, "west");
  const writer = await connect(east.sidecar, "~zod");
  await writer.open({ role: "write" });
  await writer.append(someRecords(1n, 10));
  await writer.acknowledged(10n);
  return { kv, east, west, writer };
}

/** Lets time pass for the sites until `work` has ended. */
async function passing<Result>(work: Promise<Result>, ...sites: readonly Site[]): Promise<Result> {
  let ended = false;
  const done = (): void => {
    ended = true;
  };
  work.then(done, done);
  while (!ended) {
    await Promise.all(sites.map(({ clock }) => clock.turn(250)));
  }
  return work;
}

async function administer({ sidecar }: Site, question: Record<string, unknown>): Promise<Readonly<Record<string, unknown>>> {
  const admin = await connect(sidecar, null);
  await admin.open({ role: "admin" });
  try {
    return await admin.admin(question);
  } finally {
    await admin.close();
  }
}

t.test("a second sidecar refuses the ship, shows who writes it, and takes it by hand", async (t) => {
  const { east, west, writer } = await two(t);
  const newcomer = await connect(west.sidecar, "~zod");
  const refusal = { code: "ship-busy", message: /^~zod is being written by session 1 \(pid \d+\) of process 11 on east$/ };
  await t.rejects(passing(newcomer.open({ role: "write" }), east, west), refusal);
  const { ships } = await administer(west, { verb: "list" });
  t.match(ships, [{ ship: "~zod", writer: /^session 1 \(pid \d+\) of process 11 on east$/, logs: [{ height: "10" }] }]);
  t.match(await administer(east, { verb: "status", ship: "~zod" }), { storeAnswers: true, ships: [{ writer: /^session 1 \(pid \d+\)$/ }] });
  t.match(await administer(west, { verb: "fence", ship: "~zod" }), { from: /^session 1 \(pid \d+\) of process 11 on east$/ });
  const next = await connect(west.sidecar, "~zod");
  t.equal((await next.open({ role: "write" })).height, 10n);
  const fenced = writer.append(someRecords(11n, 1)).then(() => writer.acknowledged(11n));
  await t.rejects(fenced, { code: "fenced", message: /^~zod was taken over by session \d+ \(pid \d+\) of process 11 on west$/ });
});

t.test("a sidecar that stopped in order leaves its ships to others at once", async (t) => {
  const { east, west } = await two(t);
  await east.sidecar.sidecar.stop();
  const next = await connect(west.sidecar, "~zod");
  t.equal((await next.open({ role: "write" })).height, 10n);
});

t.test("a session waits out the lease of a sidecar that died", async (t) => {
  const { west } = await two(t);
  const next = await connect(west.sidecar, "~zod");
  const begunMs = west.clock.nowMs();
  t.equal((await passing(next.open({ role: "write" }), west)).height, 10n);
  const waitedMs = west.clock.nowMs() - begunMs;
  t.ok(waitedMs >= LEASE_MS && waitedMs < 2 * LEASE_MS, `${waitedMs} ms`);
});

t.test("readers elsewhere see what is there when they open, and follow what comes", async (t) => {
  const { west, writer } = await two(t);
  const reader = await connect(west.sidecar, "~zod");
  t.equal((await reader.open({ role: "read" })).height, 10n);
  await writer.append(someRecords(11n, 5));
  await writer.acknowledged(15n);
  const later = await connect(west.sidecar, "~zod");
  t.equal((await later.open({ role: "read" })).height, 15n, "also where the log is open already");
  const tail = reader.read({ from: 1n, tail: true });
  const bytes: Buffer[] = [];
  const through = async (id: bigint): Promise<void> => {
    for (;;) {
      bytes.push((await tail.next()) ?? Buffer.alloc(0));
      if ([...splitRecords(Buffer.concat(bytes))].at(-1)?.id === id) return;
    }
  };
  await through(15n);
  await writer.append(someRecords(16n, 5));
  await writer.acknowledged(20n);
  await passing(through(20n), west);
  t.match(await tail.cancel(), { count: 20n });
});

t.test("a tail goes on when the sidecar that reads becomes the one that writes", async (t) => {
  const { east, west } = await two(t);
  const reader = await connect(west.sidecar, "~zod");
  await reader.open({ role: "read" });
  const tail = reader.read({ from: 1n, tail: true, limit: 15n });
  await east.sidecar.sidecar.stop();
  const writer = await connect(west.sidecar, "~zod");
  await writer.open({ role: "write" });
  await writer.append(someRecords(11n, 5));
  await writer.acknowledged(15n);
  let lengthBytes = 0;
  for await (const piece of tail) lengthBytes += piece.length;
  t.equal(lengthBytes, someRecords(1n, 15).length);
});

t.test("the handshake's time limit is the client's, not the store's", async (t) => {
  const { kv, west } = await two(t);
  const { get } = kv;
  let answer: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  kv.get = async (key) => {
    await answered;
    return get.call(kv, key);
  };
  const opening = connect(west.sidecar, "~zod").then((reader) => reader.open({ role: "read" }));
  await west.clock.turn(40_000);
  answer();
  t.equal((await opening).height, 10n);
});

t.test("status answers while the store does not", async (t) => {
  const { kv, west } = await two(t);
  const reader = await connect(west.sidecar, "~zod");
  await reader.open({ role: "read" });
  const { get } = kv;
  kv.get = () => new Promise(() => undefined);
  const status = await passing(administer(west, { verb: "status", ship: "~zod" }), west);
  t.match(status, { storeAnswers: false, ships: [], sessions: [{ ship: "~zod", role: "read" }] });
  kv.get = get;
});
