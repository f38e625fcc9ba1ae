// Appending through a session of version 1: acknowledgements, repeats, conflicts, gaps, batches, huge events, two writers.
import t from "tap";
import type { Client } from "../../src/client/client.ts";
import { encodeRecords, splitRecords } from "../../src/native/records.ts";
import { connect, someRecords, startSidecar, type TestSidecar } from "./helpers.ts";

async function writer(sidecar: TestSidecar, ship = "~zod"): Promise<Client> {
  const client = await connect(sidecar, ship);
  await client.open({ role: "write" });
  return client;
}

async function readAll(sidecar: TestSidecar, ship = "~zod", from = 1n): Promise<{ id: bigint; payload: Buffer }[]> {
  const client = await connect(sidecar, ship);
  await client.open({ role: "read" });
  const parts: Buffer[] = [];
  for await (const piece of client.read({ from })) {
    parts.push(Buffer.from(piece));
  }
  await client.close();
  return splitRecords(Buffer.concat(parts));
}

t.test("what is acknowledged reads back byte for byte", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const client = await writer(sidecar);
  const records = someRecords(1n, 5000, 300);
  await client.append(records);
  t.equal(await client.acknowledged(5000n), 5000n);
  const events = await readAll(sidecar);
  t.equal(events.length, 5000);
  t.ok(
    encodeRecords(
      1n,
      events.map((event) => event.payload),
    ).equals(records),
  );
  const some = await readAll(sidecar, "~zod", 4321n);
  t.equal(some[0]?.id, 4321n);
  t.equal(some.length, 680);
  await client.close();
});

t.test("a repeat with the same bytes is acknowledged again, with others it is refused", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const first = await writer(sidecar);
  await first.append(someRecords(1n, 100));
  await first.acknowledged(100n);
  await first.close();
  const again = await writer(sidecar);
  await again.append(someRecords(51n, 100));
  t.equal(await again.acknowledged(150n), 150n, "51 to 100 repeat, 101 to 150 are new");
  await again.append(someRecords(1n, 150));
  await again.append(someRecords(151n, 1));
  t.equal(await again.acknowledged(151n), 151n, "a fall back inside one session");
  await again.append(someRecords(140n, 1, 50, 1));
  await t.rejects(again.acknowledged(152n), { code: "append-conflict" });
  t.equal((await readAll(sidecar)).length, 151);
});

t.test("gaps and broken records end the session and store nothing of themselves", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const gap = await writer(sidecar);
  await gap.append(someRecords(1n, 10));
  await gap.append(someRecords(12n, 1));
  await t.rejects(gap.acknowledged(12n), { code: "append-gap" });
  const broken = await writer(sidecar);
  const records = someRecords(11n, 10);
  records.writeUInt8((records.readUInt8(80 * 5 + 30) ^ 1) & 0xff, 80 * 5 + 30);
  await broken.append(records);
  await t.rejects(broken.acknowledged(20n), { code: "bad-record" });
  const events = await readAll(sidecar);
  t.equal(events.length, 15, "the five whole records before the broken one are stored");
});

t.test("a log may begin anywhere, and ids are checked", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const client = await writer(sidecar);
  await client.append(someRecords(5001n, 3));
  t.equal(await client.acknowledged(5003n), 5003n);
  t.equal((await readAll(sidecar))[0]?.id, 5001n);
  await client.close();
  const zero = await writer(sidecar, "~bus");
  await zero.append(someRecords(0n, 1));
  await t.rejects(zero.acknowledged(1n), { code: "bad-id" });
});

t.test("atomic batches: small, huge, wrong, half repeated", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const client = await writer(sidecar);
  const small = someRecords(1n, 20);
  await client.appendAtomic({ firstId: 1n, count: 20n, bytes: BigInt(small.length) }, [small]);
  await client.acknowledged(20n);
  const huge = someRecords(21n, 30, 1 << 20);
  await client.appendAtomic({ firstId: 21n, count: 30n, bytes: BigInt(huge.length) }, [huge]);
  await client.append(someRecords(51n, 1));
  await client.acknowledged(51n);
  t.equal((await readAll(sidecar)).length, 51);
  t.equal((await readAll(sidecar, "~zod", 33n)).at(0)?.id, 33n, "reading from the middle of a staged batch");
  await client.appendAtomic({ firstId: 21n, count: 30n, bytes: BigInt(huge.length) }, [huge]);
  await client.ping();
  const straddling = someRecords(51n, 2);
  await client.appendAtomic({ firstId: 51n, count: 2n, bytes: BigInt(straddling.length) }, [straddling]);
  await t.rejects(client.acknowledged(52n), { code: "batch-straddles" });
  const wrong = await writer(sidecar);
  await wrong.appendAtomic({ firstId: 52n, count: 3n, bytes: BigInt(straddling.length) }, [someRecords(52n, 2)]);
  await t.rejects(wrong.acknowledged(53n), { code: "bad-batch" });
  t.equal((await readAll(sidecar)).length, 51, "nothing of a refused batch is visible");
});

t.test("an event larger than any buffer, repeated and read from", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const client = await writer(sidecar);
  const payload = Buffer.alloc(40 << 20, 7);
  payload.writeUInt32LE(12345, 20 << 20);
  await client.append(someRecords(1n, 3));
  await client.append(encodeRecords(4n, [payload]));
  await client.append(someRecords(5n, 3));
  t.equal(await client.acknowledged(7n), 7n);
  await client.append(encodeRecords(4n, [payload]));
  await client.append(someRecords(5n, 4));
  t.equal(await client.acknowledged(8n), 8n, "the huge event and those after it repeat");
  const events = await readAll(sidecar, "~zod", 3n);
  t.equal(events.length, 6);
  t.ok(events[1]?.payload.equals(payload));
  payload.writeUInt8(8, payload.length - 1);
  await t.rejects(
    client.append(encodeRecords(4n, [payload])).then(() => client.acknowledged(9n)),
    { code: "append-conflict" },
  );
  const reader = await connect(sidecar, "~zod");
  await reader.open({ role: "read" });
  const { digest } = await reader.digest(8n);
  const answer = await (await admin(sidecar)).admin({ verb: "verify", ship: "~zod" });
  t.same(answer.damage, []);
  t.equal(answer.digest, digest.toString("hex"));
});

async function admin(sidecar: TestSidecar): Promise<Client> {
  const client = await connect(sidecar, null);
  await client.open({ role: "admin" });
  return client;
}

t.test("one writer a ship: the second is refused while the first lives, then hears the height", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const first = await writer(sidecar);
  const second = await connect(sidecar, "~zod");
  await t.rejects(second.open({ role: "write" }), { code: "ship-busy" });
  await first.append(someRecords(1n, 1000));
  await first.close();
  const third = await connect(sidecar, "~zod");
  const opened = await third.open({ role: "write" });
  t.ok(opened.height === 0n || opened.height === 1000n, "what the first left is resolved before the third hears its height");
  const fencer = await admin(sidecar);
  t.match(await fencer.admin({ verb: "fence", ship: "~zod" }), { ship: "~zod", from: /session/ });
  await t.rejects(third.acknowledged(9999n), { code: "fenced" });
});

t.test("verdicts and digests", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const client = await writer(sidecar);
  await client.append(someRecords(1n, 500));
  await client.acknowledged(500n);
  const at200 = await client.digest(200n);
  const at500 = await client.digest(500n);
  await client.close();
  const reader = async (id: bigint, digest: Buffer): Promise<number> => {
    const other = await connect(sidecar, "~zod");
    const { verdict } = await other.open({ role: "read", last: { id, digest } });
    await other.close();
    return verdict;
  };
  t.equal(await reader(0n, at200.digest), 0);
  t.equal(await reader(500n, at500.digest), 1);
  t.equal(await reader(200n, at200.digest), 2);
  t.equal(await reader(501n, at500.digest), 3);
  t.equal(await reader(500n, at200.digest), 4);
  t.equal(await reader(200n, Buffer.alloc(32)), 2, "heights alone");
});
