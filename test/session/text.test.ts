// Protocol 0 seen by a client that was written from the draft alone: its flows, and every rule broken in turn.
import t, { type Test } from "tap";
import { connect, startSidecar, type TestSidecar } from "./helpers.ts";
import { eventOf, newt, TextClient, writeBatch, writeOne } from "./text-client.ts";

function body(id: bigint, lengthBytes = Number(id % 97n)): Buffer {
  return Buffer.alloc(lengthBytes, Number(id % 251n) + 1);
}

function bodies(from: bigint, count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => body(from + BigInt(index)));
}

async function start(t: Test): Promise<TestSidecar> {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  return sidecar;
}

async function welcomed(sidecar: TestSidecar, ship = "~zod"): Promise<{ client: TextClient; height: bigint }> {
  const { client, height } = await TextClient.welcome(sidecar.socketPath, ship);
  if (height === null) {
    throw new Error("turned away");
  }
  return { client, height };
}

t.test("one event at a time, batches with heights, and reads", async (t) => {
  const sidecar = await start(t);
  const { client, height } = await welcomed(sidecar);
  t.equal(height, 0n);
  t.equal((await client.read(1n, 5n)).sent, "SENT 0", "an empty log");
  client.send(writeOne(1n, body(1n)));
  t.equal(await client.text(), "COMMITTED 1 1");
  client.send(writeOne(2n, Buffer.alloc(0)));
  t.equal(await client.text(), "COMMITTED 2 0", "an event of no bytes");
  client.send(writeBatch(3n, bodies(3n, 1)));
  const one = [await client.text(), await client.text()];
  t.strictSame(one, ["HEIGHT 3", "COMMITTED BATCH 1 3 3"], "a batch of one");
  client.send(writeBatch(4n, bodies(4n, 5000)));
  let last = 3n;
  for (let said = await client.text(); said !== "COMMITTED BATCH 5000 4 5003"; said = await client.text()) {
    const now = BigInt(said?.match(/^HEIGHT (\d+)$/)?.[1] ?? 0);
    t.ok(now >= last && now <= 5003n, `${said} after ${last}`);
    last = now;
  }
  const whole = await client.read(1n, 100000n);
  t.equal(whole.sent, "SENT 5003 1 5003");
  t.ok([...whole.events].every(([id, bytes], index) => id === BigInt(index + 1) && bytes.equals(id === 2n ? Buffer.alloc(0) : body(id))));
  const some = await client.read(100n, 7n);
  t.equal(some.sent, "SENT 7 100 106");
  t.strictSame([...some.events.keys()], [100n, 101n, 102n, 103n, 104n, 105n, 106n]);
  t.equal((await client.read(5003n, 10n)).sent, "SENT 1 5003 5003");
  t.equal((await client.read(5004n, 10n)).sent, "SENT 0");
  t.equal((await client.read(1n, 0n)).sent, "SENT 0");
  t.equal((await client.read(0n, 1n)).sent, "SENT 1 1 1", "the first above the one asked for");
  t.equal((await client.read(18446744073709551615n, 18446744073709551615n)).sent, "SENT 0");
  client.close();
});

t.test("a log may begin anywhere; who comes again hears the height", async (t) => {
  const sidecar = await start(t);
  const first = await welcomed(sidecar);
  first.client.send(writeBatch(7001n, bodies(7001n, 10)));
  while ((await first.client.text()) !== "COMMITTED BATCH 10 7001 7010") {
    // heights
  }
  first.client.close();
  const second = await welcomed(sidecar);
  t.equal(second.height, 7010n);
  t.equal((await second.client.read(1n, 3n)).sent, "SENT 3 7001 7003");
  second.client.send(writeOne(7011n, body(7011n)));
  t.match(await second.client.text(), /^COMMITTED 7011 /);
  second.client.close();
});

t.test("the second writer is dropped without WELCOME while the first lives; other ships are not disturbed", async (t) => {
  const sidecar = await start(t);
  const ships = [
    "~zod",
    "~fes",
    "~marzod",
    "~sampel-palnet",
    "~doznec-sampel-palnet",
    "~racmus-mollen-fallyt-linpex--watres-sibbur-modlux-rinmex",
  ];
  const sessions = await Promise.all(ships.map((ship) => welcomed(sidecar, ship)));
  const turnedAway = await Promise.all(ships.map((ship) => TextClient.welcome(sidecar.socketPath, ship)));
  t.ok(turnedAway.every(({ height }) => height === null));
  for (const [index, { client }] of sessions.entries()) {
    client.send(writeBatch(1n, bodies(1n, index + 1)));
  }
  for (const [index, { client }] of sessions.entries()) {
    let said = await client.text();
    while (said?.startsWith("HEIGHT")) {
      said = await client.text();
    }
    t.equal(said, `COMMITTED BATCH ${index + 1} 1 ${index + 1}`);
    client.close();
  }
  for (const [index, ship] of ships.entries()) {
    const { client, height } = await welcomed(sidecar, ship);
    t.equal(height, BigInt(index + 1), ship);
    client.close();
  }
});

t.test("bytes may be cut anywhere", async (t) => {
  const sidecar = await start(t);
  const { client } = await welcomed(sidecar);
  const script = Buffer.concat([writeOne(1n, body(1n, 5))]);
  let id = 1n;
  for (let cut = 1; cut < script.length; cut++, id++) {
    const bytes = writeOne(id, body(id, 5));
    await client.sendNow(bytes.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    client.send(bytes.subarray(cut));
    t.equal(await client.text(), `COMMITTED ${id} 5`, `cut at ${cut}`);
  }
  const batch = writeBatch(id, [body(1n, 3), body(2n, 0)]);
  for (const byte of batch) {
    await client.sendNow(Buffer.from([byte]));
  }
  let said = await client.text();
  while (said?.startsWith("HEIGHT")) {
    said = await client.text();
  }
  t.equal(said, `COMMITTED BATCH 2 ${id} ${id + 1n}`);
  client.close();
});

t.test("an event of 20 MB, in a batch and alone", async (t) => {
  const sidecar = await start(t);
  const { client } = await welcomed(sidecar);
  const huge = Buffer.alloc(20_000_001, "seguro ");
  client.send(writeBatch(1n, [body(1n), huge, body(3n)]));
  let said = await client.text();
  while (said?.startsWith("HEIGHT")) {
    said = await client.text();
  }
  t.equal(said, "COMMITTED BATCH 3 1 3");
  client.send(writeOne(4n, huge));
  t.equal(await client.text(), "COMMITTED 4 20000001");
  const { events, sent } = await client.read(1n, 10n);
  t.equal(sent, "SENT 4 1 4");
  t.ok(events.get(2n)?.equals(huge) && events.get(4n)?.equals(huge) && events.get(3n)?.equals(body(3n)));
  client.close();
});

const kept = [1n, 2n, 3n];
const good = newt(Buffer.from("x"));
const batchHead = "WRITE BATCH 2 4 5\0";
/** What a client of a log at height 3 says; after it the session must end. The number is the height that may be found then. */
const broken: readonly [string, (string | Buffer)[], bigint?][] = [
  ["garbage", ["garbage\0"]],
  ["nothing but a NUL", ["\0"]],
  ["a block of 129 bytes", [`READ ${" ".repeat(123)}\0`]],
  ["128 bytes without an end", ["x".repeat(128)]],
  ["high bytes", [Buffer.alloc(90, 0xff), "\0"]],
  ["two spaces", ["READ  1 1\0"]],
  ["a space at the end", ["READ 1 1 \0"]],
  ["small letters", ["read 1 1\0"]],
  ["a sign", ["READ +1 1\0"]],
  ["hex", ["READ 0x1 1\0"]],
  ["65 bits", ["READ 18446744073709551616 1\0"]],
  ["too few fields", ["READ 1\0"]],
  ["too many fields", ["READ 1 1 1\0"]],
  ["HELLO again", ["HELLO 0\0"]],
  ["POINT again", ["POINT ~zod\0"]],
  ["END BATCH without a batch", ["END BATCH 1 4 4\0"]],
  ["EVENT without a batch", [eventOf(4n, Buffer.from("x"))]],
  ["an id that repeats", [writeOne(3n, Buffer.from("x"))]],
  ["an id that falls", [writeOne(1n, Buffer.from("x"))]],
  ["a gap", [writeOne(5n, Buffer.from("x"))]],
  ["id 0", [writeOne(0n, Buffer.from("x"))]],
  ["an id of 65 bits", [writeOne("18446744073709551620", Buffer.from("x"))]],
  ["a newt of version 1", ["WRITE 4 \u0001\u0001\0\0\0x\0"]],
  ["no NUL after a newt", ["WRITE 4 ", good, "y"]],
  ["a batch of none", ["WRITE BATCH 0 4 3\0"]],
  ["a batch that ends before it starts", ["WRITE BATCH 2 5 4\0"]],
  ["a batch with a count that does not fit", ["WRITE BATCH 3 4 5\0"]],
  ["a batch that repeats", ["WRITE BATCH 2 3 4\0"]],
  ["a batch after a gap", ["WRITE BATCH 2 5 6\0"]],
  ["a batch beyond 2^63 - 1", ["WRITE BATCH 18446744073709551612 4 18446744073709551615\0"]],
  ["a batch in a batch", [batchHead, batchHead]],
  ["a WRITE in a batch", [batchHead, writeOne(4n, Buffer.from("x"))]],
  ["a READ in a batch", [batchHead, "READ 1 1\0"]],
  ["an id that repeats in a batch", [batchHead, eventOf(4n, body(4n)), eventOf(4n, body(4n))], 4n],
  ["an id that falls in a batch", [batchHead, eventOf(3n, body(3n))]],
  ["a gap in a batch", [batchHead, eventOf(5n, body(5n))]],
  ["one event too many", [batchHead, eventOf(4n, body(4n)), eventOf(5n, body(5n)), eventOf(6n, body(6n))], 5n],
  ["END BATCH too early", [batchHead, eventOf(4n, body(4n)), "END BATCH 2 4 5\0"], 4n],
  ["END BATCH with another count", [batchHead, eventOf(4n, body(4n)), eventOf(5n, body(5n)), "END BATCH 3 4 5\0"], 5n],
  ["END BATCH with another start", [batchHead, eventOf(4n, body(4n)), eventOf(5n, body(5n)), "END BATCH 2 3 5\0"], 5n],
  ["END BATCH with another end", [batchHead, eventOf(4n, body(4n)), eventOf(5n, body(5n)), "END BATCH 2 4 6\0"], 5n],
  ["a flow before COMMITTED", [Buffer.concat([writeOne(4n, body(4n)), writeOne(5n, body(5n))])], 4n],
  ["half a flow before COMMITTED", [Buffer.concat([writeOne(4n, body(4n)), Buffer.from("REA")])], 4n],
  ["a flow before COMMITTED BATCH", [Buffer.concat([writeBatch(4n, [body(4n)]), Buffer.from("READ 1 1\0")])], 4n],
  ["a flow before SENT", ["READ 1 1\0READ 1 1\0"]],
  ["half a flow before SENT", ["READ 1 1\0RE"]],
];

t.test("every broken rule ends the session and loses nothing", async (t) => {
  const sidecar = await start(t);
  for (const [index, [what, parts, most = 3n]] of broken.entries()) {
    // A ship of its own for each, in one sidecar: what was broken before must not disturb what follows.
    const ship = ["~zod", "~nec", "~bud", "~wes", "~sev", "~per", "~sut", "~let"][index % 8] ?? "";
    const fresh = await welcomed(sidecar, ship);
    if (fresh.height === 0n) {
      fresh.client.send(
        writeBatch(
          1n,
          kept.map((id) => body(id)),
        ),
      );
      while ((await fresh.client.text()) !== "COMMITTED BATCH 3 1 3") {
        // heights
      }
    }
    fresh.client.send(Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part))));
    const said = await fresh.client.hungUp();
    t.notOk(
      said.some((text) => text.startsWith("COMMITTED") && text.endsWith(" 5")),
      `${what}: nothing beyond is committed`,
    );
    fresh.client.close();
    const after = await welcomed(sidecar, ship);
    t.ok(after.height >= 3n && after.height <= most, `${what}: height ${after.height}`);
    const { events } = await after.client.read(1n, 3n);
    t.ok(
      kept.every((id) => events.get(id)?.equals(body(id))),
      `${what}: what was committed is there`,
    );
    after.client.close();
    if (after.height > 3n) {
      // Back to height 3 for the next one of this ship: its log is retired.
      await retire(sidecar, ship);
    }
  }
  t.notOk(
    sidecar.logged.some(({ level, text }) => level === "error" || text.includes("internal")),
    "nobody's fault but the client's",
  );
});

async function retire(sidecar: TestSidecar, ship: string): Promise<void> {
  const admin = await connect(sidecar, null);
  await admin.open({ role: "admin" });
  await admin.admin({ verb: "retire", ship });
  await admin.close();
}

t.test("handshakes that are none", async (t) => {
  const sidecar = await start(t);
  const scripts: (string | Buffer)[] = [
    "HELLO 9\0",
    "HELLO\0",
    "HELLO 0 1\0",
    "HELLO -0\0",
    "HELLO 18446744073709551616\0",
    "hello 0\0",
    "POINT ~zod\0",
    "HELLO 0\0HELLO 0\0",
    "HELLO 0\0POINT ~notaship\0",
    "HELLO 0\0POINT ~ZOD\0",
    "HELLO 0\0POINT zod\0",
    "HELLO 0\0POINT ~\0",
    "HELLO 0\0POINT ~sampel-\0",
    "HELLO 0\0POINT ~doz-sampel\0",
    "HELLO 0\0POINT ~zod ~nec\0",
    "HELLO 0\0POINT -\0",
    "HELLO 0\0POINT \0",
    `HELLO 0\0POINT ~${"sampel-palnet-".repeat(8)}\0`,
    writeOne(1n, Buffer.from("x")),
    Buffer.alloc(4096, 0xff),
    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(4),
    Buffer.alloc(1),
  ];
  for (const script of scripts) {
    const client = new TextClient(sidecar.socketPath);
    t.equal(await client.text(), "SEGURO 0 1");
    client.send(script);
    const said = await client.hungUp();
    t.notOk(
      said.some((text) => text.startsWith("WELCOME")),
      JSON.stringify(script.toString().slice(0, 40)),
    );
    client.close();
  }
  t.equal((await welcomed(sidecar)).height, 0n);
});
