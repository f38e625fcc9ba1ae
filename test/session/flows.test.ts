// The flows of version 1 beside appending: metadata, epochs and files, tails and credit, digests, earlier logs, administration.
import t, { type Test } from "tap";
import type { Client } from "../../src/client/client.ts";
import { bufferSource } from "../../src/client/files.ts";
import type { LogRead } from "../../src/client/reading.ts";
import { encodeRecords, splitRecords } from "../../src/native/records.ts";
import { makeShip } from "../../src/ship.ts";
import { afterPrefix, keys } from "../../src/store/layout.ts";
import { Frame, SCOPE_TOP } from "../../src/wire/constants.ts";
import { decodeSent, encodeFilePut } from "../../src/wire/flows.ts";
import { connect, someRecords, startSidecar, type TestSidecar } from "./helpers.ts";
import { RawClient, rawFrame, readOf, role, u64 } from "./raw.ts";

async function start(t: Test): Promise<TestSidecar> {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  return sidecar;
}

async function opened(
  sidecar: TestSidecar,
  as: "write" | "read" | "admin",
  ship: string | null = "~zod",
  kind: "either" | "real" | "fake" = "either",
  log = 0,
): Promise<Client> {
  const client = await connect(sidecar, ship);
  await client.open({ role: as, kind, log });
  return client;
}

async function append(sidecar: TestSidecar, ship: string, from: bigint, count: number, kind: "real" | "fake" = "real"): Promise<void> {
  const client = await opened(sidecar, "write", ship, kind);
  await client.append(someRecords(from, count));
  await client.acknowledged(from + BigInt(count) - 1n);
  await client.close();
  await free(sidecar, ship);
}

/** Waits until the sidecar has seen that the ship's writer left. */
async function free(sidecar: TestSidecar, ship: string): Promise<void> {
  while (sidecar.sidecar.sessions().some((session) => session.ship === ship && session.role === "write")) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One request of administration in a session of its own: some refusals end the session. */
async function administer(sidecar: TestSidecar, question: Record<string, unknown>): Promise<Readonly<Record<string, unknown>>> {
  const admin = await opened(sidecar, "admin", null);
  try {
    return await admin.admin(question);
  } finally {
    await admin.close();
  }
}

async function fileOf(client: Client, base: bigint, name: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const piece of client.fileGet(base, name)) {
    parts.push(piece);
  }
  return Buffer.concat(parts);
}

t.test("metadata, epochs and files come back as they were put", async (t) => {
  const sidecar = await start(t);
  const client = await opened(sidecar, "write");
  await client.epochPut(0n);
  await client.epochPut(1000n);
  await client.epochPut(0n);
  const entries = [
    { key: Buffer.from("fake"), value: Buffer.from([1]) },
    { key: Buffer.from("life"), value: Buffer.from([5]) },
    { key: Buffer.from("none"), value: Buffer.alloc(0) },
    { key: Buffer.alloc(255, 0xff), value: Buffer.alloc(65_536, 3) },
  ];
  for (const scope of [SCOPE_TOP, 0n, 1000n]) {
    for (const entry of entries) {
      await client.metaPut(scope, entry);
    }
    t.strictSame(await client.metaList(scope), entries);
  }
  t.equal(await client.metaGet(0n, Buffer.from("absent")), null);
  t.equal((await client.metaGet(0n, Buffer.from("none")))?.length, 0, "nothing is not absence");
  await client.metaPut(0n, { key: Buffer.from("life"), value: Buffer.from("6") });
  t.equal(String(await client.metaGet(0n, Buffer.from("life"))), "6");
  t.strictSame(await client.metaGet(1000n, Buffer.from("life")), Buffer.from([5]), "scopes are apart");
  const image = Buffer.alloc(5_000_001, "first ");
  const other = Buffer.alloc(5 << 20, "second ");
  await client.filePut(1000n, "image.bin", bufferSource(image));
  t.ok((await fileOf(client, 1000n, "image.bin")).equals(image));
  await client.filePut(1000n, "image.bin", bufferSource(other));
  await client.filePut(1000n, "epoc.txt", bufferSource(Buffer.from("3")));
  t.ok((await fileOf(client, 1000n, "image.bin")).equals(other), "replaced by another");
  const listed = await client.epochs();
  t.strictSame(
    listed.map(({ base, name, fileBytes }) => [base, name, fileBytes]),
    [
      [0n, "", 0n],
      [1000n, "epoc.txt", 1n],
      [1000n, "image.bin", BigInt(other.length)],
    ],
  );
  const pieces = keys.log({ ship: makeShip(0n, "real"), log: 1 });
  const rows = await sidecar.kv.range(Buffer.concat([pieces, Buffer.from("g")]), Buffer.concat([pieces, Buffer.from("h")]), {
    limitBytes: 1 << 30,
  });
  t.equal(rows.count, 11, "the pieces of the file before are gone");
  await client.close();
  const reader = await opened(sidecar, "read");
  await t.rejects(reader.metaPut(SCOPE_TOP, { key: Buffer.from("life"), value: Buffer.alloc(0) }), { code: "bad-role" });
  t.equal((await fileOf(reader, 1000n, "epoc.txt")).toString(), "3");
  await reader.close();
});

t.test("a broken upload leaves nothing once the ship is claimed again", async (t) => {
  const sidecar = await start(t);
  const client = await RawClient.opened(sidecar, role.write);
  client.send(rawFrame(Frame.EPOCH_PUT, u64(0n), { request: 1 }));
  for (const offset of [0n, 524_288n]) {
    client.send(encodeFilePut(2, { base: 0n, offset, totalBytes: 5_000_000n, name: "image.bin", data: Buffer.alloc(524_288, 1) }));
  }
  t.equal([await client.next(), await client.next(), await client.next()].at(-1)?.header.type, Frame.OK);
  client.close();
  const again = await opened(sidecar, "write");
  const prefix = keys.filePieces({ ship: makeShip(0n, "real"), log: 1 }, 0n, 0n).subarray(0, 31);
  t.equal((await sidecar.kv.range(prefix, afterPrefix(prefix), { limitRows: 1 })).count, 0);
  t.match(await again.epochs(), [{ base: 0n, name: "" }]);
  await again.close();
});

/** Ids of the events a tail brings, up to `last`. */
async function follow(tail: LogRead, last: bigint, seen: bigint[] = []): Promise<bigint[]> {
  let held = Buffer.alloc(0);
  while (seen.at(-1) !== last) {
    held = Buffer.concat([held, (await tail.next()) ?? Buffer.alloc(0)]);
    if (held.length % 80 === 0) {
      seen.push(...splitRecords(held).map(({ id }) => id));
      held = Buffer.alloc(0);
    }
  }
  return seen;
}

function ids(from: bigint, to: bigint): bigint[] {
  return Array.from({ length: Number(to - from) + 1 }, (_, index) => from + BigInt(index));
}

t.test("a tail sees what is stored, then LIVE, then what comes, through several writers", async (t) => {
  const sidecar = await start(t);
  await append(sidecar, "~zod", 11n, 100);
  const reader = await opened(sidecar, "read");
  const tail = reader.read({ from: 1n, tail: true });
  const limited = reader.read({ from: 1n, tail: true, limit: 150n });
  const seen: bigint[] = [];
  const following = follow(tail, 310n, seen);
  // Writers begin when both have caught up: before that, LIVE may come at any height that the log has passed through.
  while (seen.length < 100 || tail.liveHeight === null || limited.liveHeight === null) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.strictSame(seen, ids(11n, 110n), "what is stored");
  t.strictSame([tail.liveHeight, limited.liveHeight], [110n, 110n]);
  // This one reads while they write: where it turns live is not known, what it sees is.
  const racing = reader.read({ from: 1n, tail: true });
  const raced = follow(racing, 310n);
  for (const from of [111n, 161n, 261n]) {
    await append(sidecar, "~zod", from, 50 * (from === 161n ? 2 : 1));
  }
  await following;
  t.strictSame(seen, ids(11n, 310n));
  t.equal(tail.liveHeight, 110n, "said once");
  t.strictSame(await raced, ids(11n, 310n), "nothing is missing or doubled where a tail turns live");
  t.match(await racing.cancel(), { count: 300n, reason: 2 });
  let bytes = 0;
  for await (const piece of limited) {
    bytes += piece.length;
  }
  t.match([bytes, limited.sent], [150 * 80, { count: 150n, nextId: 161n, reason: 0 }], "a limit ends a tail");
  t.match(await tail.cancel(), { count: 300n, reason: 2 });
  t.strictSame(await reader.ping(Buffer.from("on")), Buffer.from("on"), "the session goes on");
  await reader.close();
});

t.test("the server never sends more than was granted", async (t) => {
  const sidecar = await start(t);
  const writer = await opened(sidecar, "write");
  await writer.append(someRecords(1n, 2000, 1000));
  await writer.append(encodeRecords(2001n, [Buffer.alloc(6 << 20, 9)]));
  await writer.acknowledged(2001n);
  await writer.close();
  const client = await RawClient.opened(sidecar, role.read);
  const whole = 2000 * 1024 + 24 + (6 << 20);
  client.send(readOf(1, 1n, 0n, 1000n));
  let granted = 1000;
  let got = 0;
  for (let step = 0; ; step++) {
    const most = Math.min(whole, granted - (granted % 8));
    while (got < most) {
      const frame = await client.next();
      t.equal(frame?.header.type, Frame.RECORDS);
      got += frame?.header.bodyBytes ?? 0;
    }
    if (got > most) {
      t.fail(`${got} bytes of ${granted} granted`);
    }
    if (got === whole) {
      break;
    }
    // A round trip shows that nothing more is on its way.
    client.send(rawFrame(Frame.PING, Buffer.alloc(0), { request: 9 }));
    t.equal((await client.next())?.header.type, Frame.PONG);
    const more = [1, 7, 8, 24, 100_000, 3_000_000][step % 6] ?? 0;
    granted += more;
    client.send(rawFrame(Frame.CREDIT, u64(BigInt(more)), { request: 1 }));
  }
  const sent = await client.next();
  t.match(sent === null ? null : decodeSent(sent.body), { count: 2001n, nextId: 2002n, reason: 1 });
  client.close();
});

t.test("digests find where two logs part", async (t) => {
  const sidecar = await start(t);
  await append(sidecar, "~zod", 1n, 300);
  await append(sidecar, "~nec", 1n, 300);
  // Digests hold the ship and its kind, so logs of different ships never agree; a fork of one ship is found by bisection.
  const [zod, nec] = [await opened(sidecar, "read", "~zod"), await opened(sidecar, "read", "~nec")];
  t.notSame((await zod.digest(300n)).digest, (await nec.digest(300n)).digest);
  const admin = await opened(sidecar, "admin", null);
  await admin.admin({ verb: "retire", ship: "~zod" });
  const fork = await opened(sidecar, "write", "~zod");
  await fork.append(someRecords(1n, 123));
  await fork.append(someRecords(124n, 177, 50, 7));
  await fork.acknowledged(300n);
  const before = await opened(sidecar, "read", "~zod", "real", 1);
  let low = 0n;
  let high = 300n;
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    const same = (await before.digest(middle)).digest.equals((await fork.digest(middle)).digest);
    [low, high] = same ? [middle, high] : [low, middle - 1n];
  }
  t.equal(low, 123n, "the last event they share");
  await t.rejects(fork.digest(301n), { code: "no-such-event" });
  await Promise.all([zod, nec, fork, before, admin].map((session) => session.close()));
});

t.test("logs end, stay readable by number, and are forgotten when confirmed", async (t) => {
  const sidecar = await start(t);
  await append(sidecar, "~zod", 1n, 20);
  const writer = await opened(sidecar, "write");
  await t.rejects(administer(sidecar, { verb: "retire", ship: "~zod" }), { code: "ship-busy" });
  await writer.close();
  await free(sidecar, "~zod");
  t.match(await administer(sidecar, { verb: "retire", ship: "~zod" }), { log: 1 });
  await t.rejects(administer(sidecar, { verb: "retire", ship: "~zod" }), { code: "no-such-log" });
  await t.rejects(opened(sidecar, "read"), { code: "no-such-log" });
  t.equal((await connect(sidecar, "~zod")).welcomeId, null);
  await append(sidecar, "~zod", 500n, 5);
  const old = await opened(sidecar, "read", "~zod", "either", 1);
  t.equal((await old.digest(20n)).id, 20n);
  await old.close();
  const logs = [
    { log: 1, state: "retired", base: "1", height: "20", events: "20" },
    { log: 2, state: "open", base: "500", height: "504", events: "5" },
  ];
  t.match(await administer(sidecar, { verb: "list" }), { ships: [{ ship: "~zod", kind: "real", currentLog: 2, writer: null, logs }] });
  t.match(await administer(sidecar, { verb: "verify", ship: "~zod", log: 1 }), { events: "20", damage: [] });
  await t.rejects(administer(sidecar, { verb: "forget", ship: "~zod", log: 2, confirm: "~zod" }), { code: "not-retired" });
  await t.rejects(administer(sidecar, { verb: "forget", ship: "~zod", log: 1, confirm: "zod" }), { code: "not-confirmed" });
  await t.rejects(administer(sidecar, { verb: "forget", ship: "~zod", log: 3, confirm: "~zod" }), { code: "no-such-log" });
  t.match(await administer(sidecar, { verb: "forget", ship: "~zod", log: 1, confirm: "~zod" }), { log: 1, events: "20" });
  await t.rejects(opened(sidecar, "read", "~zod", "either", 1), { code: "no-such-log" });
  const prefix = keys.log({ ship: makeShip(0n, "real"), log: 1 });
  t.equal((await sidecar.kv.range(prefix, afterPrefix(prefix), { limitRows: 1 })).count, 0, "no byte of it is left");
  t.match(await administer(sidecar, { verb: "status", ship: "~zod" }), { version: /./, ships: [{ ship: "~zod" }], sessions: [] });
});

t.test("a fake ship and a real one of one name are two", async (t) => {
  const sidecar = await start(t);
  await append(sidecar, "~zod", 1n, 3, "fake");
  t.equal((await connect(sidecar, "~zod")).welcomeId, 3n, "the name means what exists");
  await append(sidecar, "~zod", 1n, 5, "real");
  await t.rejects(opened(sidecar, "read"), { code: "ambiguous-ship" });
  t.equal((await (await connect(sidecar, "~zod")).open({ role: "read", kind: "fake" })).height, 3n);
  t.equal((await (await connect(sidecar, "~zod")).open({ role: "read", kind: "real" })).height, 5n);
  await t.rejects(administer(sidecar, { verb: "verify", ship: "~zod" }), { code: "ambiguous-ship" });
  t.match(await administer(sidecar, { verb: "verify", ship: "~zod", kind: "fake" }), { events: "3" });
});

t.test("clients that race for one ship never both write an event", async (t) => {
  const sidecar = await start(t);
  const acknowledged = new Map<bigint, number>();
  const race = async (salt: number): Promise<void> => {
    for (let round = 0; round < 60; round++) {
      const client = await connect(sidecar, "~zod");
      try {
        const { height } = await client.open({ role: "write" });
        await client.append(someRecords(height + 1n, 2, 50, salt));
        await client.acknowledged(height + 2n);
        for (const id of [height + 1n, height + 2n]) {
          t.notOk(acknowledged.has(id), `event ${id} is acknowledged once`);
          acknowledged.set(id, salt);
        }
      } catch (error) {
        t.match(error, { code: "ship-busy" });
      }
      await client.close();
    }
  };
  await Promise.all([race(1), race(2), race(3)]);
  const reader = await opened(sidecar, "read");
  const parts: Buffer[] = [];
  for await (const piece of reader.read({ from: 1n })) {
    parts.push(Buffer.from(piece));
  }
  const events = splitRecords(Buffer.concat(parts));
  t.ok(events.length >= acknowledged.size && events.length > 0);
  t.ok(events.every(({ id, payload }) => !acknowledged.has(id) || acknowledged.get(id) === payload[49]));
  await reader.close();
});
