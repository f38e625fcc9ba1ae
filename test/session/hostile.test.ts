// Clients of version 1 that break framing, sizes and limits: only their own session ends, and the others go on.
import net from "node:net";
import t, { type Test } from "tap";
import type { SidecarOptions } from "../../src/session/sidecar.ts";
import { Frame, SCOPE_TOP } from "../../src/wire/constants.ts";
import { decodeSent, encodeFileGet, encodeFilePut, encodeMetaPut } from "../../src/wire/flows.ts";
import { connect, someRecords, startSidecar, type TestSidecar } from "./helpers.ts";
import { type FrameFaults, RawClient, rawFrame, rawOpen, readOf, role, u64 } from "./raw.ts";

const STALL_MS = 300;
const limits = { sessions: 10_000, eventBytes: 0xffffffff, handshakeTimeoutMs: 30_000, stallTimeoutMs: 60_000 };

async function start(t: Test, options: Partial<SidecarOptions> = {}): Promise<TestSidecar> {
  const sidecar = await startSidecar(options);
  t.teardown(() => sidecar.stop());
  return sidecar;
}

/** A log of `count` events of 1,000 bytes, so that there is something to read. */
async function stored(sidecar: TestSidecar, ship: string, count: number): Promise<void> {
  const client = await connect(sidecar, ship);
  await client.open({ role: "write" });
  await client.append(someRecords(1n, count, 1000));
  await client.acknowledged(BigInt(count));
  await client.close();
}

async function isWell(t: Test, sidecar: TestSidecar): Promise<void> {
  await stored(sidecar, "~marzod", 1);
  const errors = sidecar.logged.filter(({ level }) => level === "error");
  t.strictSame(errors, [], "no fault of the sidecar's own");
}

function body(size: number): Buffer {
  return Buffer.alloc(size);
}

const sizes: readonly [string, number, readonly number[]][] = [
  ["OPEN", Frame.OPEN, [0, 63, 65, 1 << 20]],
  ["BATCH", Frame.BATCH, [0, 23, 25]],
  ["APPEND", Frame.APPEND, [1, 7, 9, 23]],
  ["READ", Frame.READ, [0, 31, 33]],
  ["CREDIT", Frame.CREDIT, [0, 7, 9]],
  ["CANCEL", Frame.CANCEL, [1]],
  ["META_GET", Frame.META_GET, [0, 7]],
  ["META_PUT", Frame.META_PUT, [0, 15, 17]],
  ["META_LIST", Frame.META_LIST, [0, 7, 9]],
  ["EPOCH_PUT", Frame.EPOCH_PUT, [0, 7, 9]],
  ["EPOCH_LIST", Frame.EPOCH_LIST, [1]],
  ["FILE_PUT", Frame.FILE_PUT, [0, 31, 33]],
  ["FILE_GET", Frame.FILE_GET, [0, 23, 25]],
  ["DIGEST", Frame.DIGEST, [0, 7, 9]],
  ["TRIM", Frame.TRIM, [0, 7, 9]],
  ["PING", Frame.PING, [65, 1 << 20]],
];

t.test("a body of the wrong size, for every type", async (t) => {
  const sidecar = await start(t);
  for (const [name, type, wrong] of sizes) {
    for (const size of wrong) {
      const client = type === Frame.OPEN ? RawClient.to(sidecar) : await RawClient.opened(sidecar, role.write);
      t.equal(await client.send(rawFrame(type, body(size))).error(), "bad-frame!", `${name} of ${size}`);
      client.close();
    }
  }
  await isWell(t, sidecar);
});

const ping = (faults: FrameFaults): Buffer => rawFrame(Frame.PING, body(8), faults);

t.test("headers that lie", async (t) => {
  const sidecar = await start(t);
  const frames: readonly [string, Buffer, string][] = [
    ["a checksum", ping({ checksum: 0x80000000 }), "bad-frame!"],
    ["a reserved field", ping({ reserved: 1 }), "bad-frame!"],
    ["flags", ping({ flags: 1 }), "bad-frame!"],
    ["all flags on APPEND", rawFrame(Frame.APPEND, someRecords(1n, 1), { flags: 255 }), "bad-frame!"],
    ["a body above the limit", ping({ bodyBytes: 1_048_577 }), "bad-frame!"],
    ["a body of 4 GiB", ping({ bodyBytes: 0xffffffff }), "bad-frame!"],
    ["padding that is not zero", rawFrame(Frame.PING, body(3), { padding: 1 }), "bad-frame!"],
    ["type 0", rawFrame(0), "bad-type!"],
    ["type 18", rawFrame(18), "bad-type!"],
    ["a frame that only the server sends", rawFrame(Frame.OPENED, body(112)), "bad-type!"],
    ["ERROR", rawFrame(Frame.ERROR, body(24)), "bad-type!"],
    ["garbage", Buffer.alloc(64, 0x5a), "bad-frame!"],
    ["text", Buffer.from("WRITE 1 \0\x05\0\0\0hello\0..."), "bad-frame!"],
  ];
  for (const [name, frame, error] of frames) {
    const client = await RawClient.opened(sidecar, role.write);
    t.equal(await client.send(frame).error(), error, name);
    client.close();
  }
  await isWell(t, sidecar);
});

t.test("OPEN that asks for what is not there", async (t) => {
  const sidecar = await start(t);
  const open = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = body(64);
    bytes.writeUInt8(role.write, 0);
    change(bytes);
    return rawFrame(Frame.OPEN, bytes);
  };
  const frames: readonly [string, Buffer][] = [
    ["role 0", open((bytes) => bytes.writeUInt8(0, 0))],
    ["role 4", open((bytes) => bytes.writeUInt8(4, 0))],
    ["kind 3", open((bytes) => bytes.writeUInt8(3, 1))],
    ["reserved", open((bytes) => bytes.writeUInt16LE(1, 2))],
    ["an option that nobody knows", open((bytes) => bytes.writeBigUInt64LE(2n, 48))],
    ["the size of a ring that is not asked for", open((bytes) => bytes.writeBigUInt64LE(65_536n, 56))],
    ["more reserved", open((bytes) => bytes.writeBigUInt64LE(1n << 63n, 56))],
    ["an earlier log for writing", open((bytes) => bytes.writeUInt32LE(1, 4))],
  ];
  for (const [name, frame] of frames) {
    t.equal(await RawClient.to(sidecar).send(frame).error(), "bad-open!", name);
  }
  t.equal(await RawClient.to(sidecar, "-").send(rawOpen(role.read)).error(), "bad-open!", "no ship");
  for (const type of Object.values(Frame).filter((type) => type > Frame.OPEN && type <= Frame.ADMIN)) {
    t.equal(
      await RawClient.to(sidecar)
        .send(rawFrame(type, body(64)))
        .error(),
      "not-open!",
      `type ${type} first`,
    );
  }
  const twice = RawClient.to(sidecar).send(rawOpen(role.write), rawOpen(role.write));
  t.equal(await twice.error(), "already-open!", "twice in one breath");
  await isWell(t, sidecar);
});

function record(lengthBytes: bigint, change: (bytes: Buffer) => void = () => undefined): Buffer {
  const bytes = someRecords(1n, 1);
  bytes.writeBigUInt64LE(lengthBytes, 0);
  change(bytes);
  return rawFrame(Frame.APPEND, bytes);
}

t.test("records that lie store nothing", async (t) => {
  const sidecar = await start(t);
  const frames: readonly [string, Buffer, string][] = [
    ["2^63 bytes", record(1n << 63n), "event-too-large!"],
    ["2^64 - 1 bytes", record((1n << 64n) - 1n), "event-too-large!"],
    ["2^32 bytes", record(1n << 32n), "event-too-large!"],
    ["a byte less", record(49n), "bad-record!"],
    ["an id of 2^63", record(50n, (bytes) => bytes.writeBigUInt64LE(1n << 63n, 8)), "bad-id!"],
    ["an id of 2^64 - 1", record(50n, (bytes) => bytes.writeBigUInt64LE((1n << 64n) - 1n, 8)), "bad-id!"],
    ["another id", record(50n, (bytes) => bytes.writeBigUInt64LE(2n, 8)), "bad-record!"],
    ["flags", record(50n, (bytes) => bytes.writeUInt32LE(1, 16)), "bad-record!"],
    ["a checksum", record(50n, (bytes) => bytes.writeUInt32LE(1, 20)), "bad-record!"],
    ["padding", record(50n, (bytes) => bytes.writeUInt8(1, bytes.length - 1)), "bad-record!"],
  ];
  for (const [name, frame, error] of frames) {
    const client = await RawClient.opened(sidecar, role.write);
    t.equal(await client.send(frame).error(), error, name);
    client.close();
  }
  t.equal(await RawClient.to(sidecar).send(rawOpen(role.read)).error(), "no-such-ship!", "not even the ship is there");
  const half = await RawClient.opened(sidecar, role.write);
  half.send(record((1n << 32n) - 1n), rawFrame(Frame.PING, body(8), { request: 7 }));
  t.equal((await half.next())?.header.type, Frame.PONG, "a long event may take its time");
  half.close();
  await isWell(t, sidecar);
});

t.test("atomic batches that lie", async (t) => {
  const sidecar = await start(t);
  const max = (1n << 63n) - 1n;
  const batches: readonly [string, bigint[], string][] = [
    ["no events", [1n, 0n, 0n], "bad-batch!"],
    ["id 0", [0n, 1n, 80n], "bad-batch!"],
    ["beyond the last id", [max, 2n, 160n], "bad-batch!"],
    ["2^64 - 1 events", [1n, (1n << 64n) - 1n, 1n << 39n], "bad-batch!"],
    ["too few bytes", [1n, 2n, 40n], "bad-batch!"],
    ["too many bytes", [1n, 2n, (1n << 64n) - 8n], "batch-too-large!"],
    ["bytes in mid-record", [1n, 2n, 152n], "bad-batch!"],
    ["more events than announced", [1n, 1n, 160n], "bad-batch!"],
    ["another first id", [2n, 2n, 160n], "bad-batch!"],
  ];
  for (const [name, numbers, error] of batches) {
    const client = await RawClient.opened(sidecar, role.write);
    client.send(rawFrame(Frame.BATCH, u64(...numbers)), rawFrame(Frame.APPEND, someRecords(1n, 2)));
    t.equal(await client.error(), error, name);
    client.close();
  }
  const nested = await RawClient.opened(sidecar, role.write);
  nested.send(rawFrame(Frame.BATCH, u64(1n, 2n, 160n)), rawFrame(Frame.BATCH, u64(1n, 2n, 160n)));
  t.equal(await nested.error(), "bad-batch!", "a batch in a batch");
  t.equal(await RawClient.to(sidecar).send(rawOpen(role.read)).error(), "no-such-ship!", "nothing of any is stored");
});

t.test("metadata and files outside their limits", async (t) => {
  const sidecar = await start(t);
  const client = await RawClient.opened(sidecar, role.write);
  let request = 0;
  const asked = async (frame: Buffer): Promise<string> => {
    frame.writeUInt32LE(++request, 8);
    const body = frame.subarray(16, 16 + frame.readUInt32LE(0));
    client.send(rawFrame(frame.readUInt8(4), body, { request }));
    const answer = await client.next();
    t.equal(answer?.header.request, request);
    return answer?.header.type === Frame.ERROR ? answer.body.toString("latin1", 24, 24 + answer.body.readUInt16LE(16)) : "ok";
  };
  const meta = (key: Buffer | string, value: Buffer | string, scope = SCOPE_TOP): Promise<string> =>
    asked(encodeMetaPut(0, scope, { key: Buffer.from(key), value: Buffer.from(value) }));
  t.equal(await meta("", "x"), "bad-meta");
  t.equal(await meta(Buffer.alloc(256, 1), "x"), "bad-meta");
  t.equal(await meta(Buffer.alloc(255, 1), "x"), "ok", "the longest key");
  t.equal(await meta("big", Buffer.alloc(65_536)), "ok");
  t.equal(await meta("bigger", Buffer.alloc(65_537)), "bad-meta");
  t.equal(await meta("who", Buffer.from([1])), "meta-mismatch");
  t.equal(await meta("who", ""), "ok", "~zod is zero, and zeros are stripped");
  t.equal(await meta("fake", ""), "meta-mismatch", "this ship is real");
  t.equal(await meta("fake", Buffer.from([1])), "ok");
  t.equal(await meta("life", "x", 5n), "no-such-epoch");
  const full = [];
  for (let index = 0; index < 8; index++) {
    full.push(await meta(`k${index}`, Buffer.alloc(65_536)));
  }
  t.strictSame(full.slice(-2), ["bad-meta", "bad-meta"], "a scope overflows");
  t.equal(await asked(rawFrame(Frame.EPOCH_PUT, u64(SCOPE_TOP))), "bad-meta", "the whole pier's scope is no epoch");
  t.equal(await asked(rawFrame(Frame.EPOCH_PUT, u64(0n))), "ok");
  const put = (offset: bigint, totalBytes: bigint, size: number, name = "image.bin", base = 0n): Promise<string> =>
    asked(encodeFilePut(0, { base, offset, totalBytes, name, data: Buffer.alloc(size, 7) }));
  t.equal(await put(524_288n, 600_000n, 75_712), "bad-file", "not begun");
  t.equal(await put(0n, 600_000n, 600_000), "bad-file", "one piece that is too long");
  t.equal(await put(0n, 600_000n, 524_287), "bad-file", "a piece that is too short");
  t.equal(await put(0n, 10n, 524_288), "bad-file", "more than there should be");
  t.equal(await put(0n, 10n, 11), "bad-file");
  t.equal(await put(0n, 10n, 0), "bad-file");
  t.equal(await put(0n, 10n, 10, "../../etc/passwd"), "bad-file");
  t.equal(await put(0n, 10n, 10, "x".repeat(100_000)), "bad-file");
  t.equal(await put(0n, 10n, 10, "image.bin", 1n), "no-such-epoch");
  t.equal(await put(0n, 600_000n, 524_288), "ok");
  t.equal(await put(524_288n, 600_001n, 75_713), "bad-file", "another total in mid-file");
  t.equal(await put(524_288n, 600_000n, 75_712, "north.bin"), "bad-file", "another name in mid-file");
  t.equal(await asked(encodeFileGet(0, { base: 0n, offset: 0n, mostBytes: 9, name: "image.bin" })), "no-such-file", "not yet");
  t.equal(await put(524_288n, 600_000n, 75_712), "ok");
  t.equal(await put(0n, 0n, 0, "epoc.txt"), "ok", "an empty file");
  t.equal(await asked(encodeFileGet(0, { base: 0n, offset: SCOPE_TOP, mostBytes: 0xffffffff, name: "image.bin" })), "ok");
  t.equal(await asked(rawFrame(Frame.META_LIST, u64(1n << 63n))), "ok");
  client.close();
  await isWell(t, sidecar);
});

t.test("credit beyond all bounds, reads that come and go", async (t) => {
  const sidecar = await start(t);
  await stored(sidecar, "~zod", 2000);
  const client = await RawClient.opened(sidecar, role.read);
  client.send(readOf(1, 1n, 0n, 0n));
  const most = (1n << 64n) - 1n;
  for (let count = 0; count < 100; count++) {
    client.send(rawFrame(Frame.CREDIT, u64(most), { request: 1 }));
  }
  const sent = await client.nextOf(Frame.SENT);
  t.equal(sent === null ? 0n : decodeSent(sent.body).count, 2000n);
  client.send(rawFrame(Frame.CREDIT, u64(most), { request: 1 }), rawFrame(Frame.CANCEL, body(0), { request: 1 }));
  client.send(rawFrame(Frame.CREDIT, u64(1n), { request: 77 }));
  for (let count = 0; count < 500; count++) {
    client.send(readOf(5, 1n, 1n, 0n), rawFrame(Frame.CANCEL, body(0), { request: 5 }));
    t.ok((await client.nextOf(Frame.SENT)) !== null);
  }
  client.send(readOf(6, most, most, most), readOf(7, 1n, 1n, 7n), readOf(7, 1n));
  t.equal(await client.error(), "bad-read", "a number in use");
  client.send(rawFrame(Frame.PING, body(1), { request: 9 }));
  t.ok((await client.nextOf(Frame.PONG)) !== null);
  client.close();
  await isWell(t, sidecar);
});

t.test("a client that does not read its answers is not worked for, and ends", async (t) => {
  const sidecar = await start(t, { limits: { ...limits, stallTimeoutMs: STALL_MS } });
  const writer = await connect(sidecar, "~zod");
  await writer.open({ role: "write" });
  await writer.epochPut(0n);
  const image = Buffer.alloc(524_288, 3);
  await writer.filePut(0n, "image.bin", { totalBytes: image.length, read: async () => image });
  await writer.append(someRecords(1n, 4000, 10_000));
  await writer.acknowledged(4000n);
  const before = process.memoryUsage().rss;
  for (const flood of [
    readOf(1, 1n),
    Buffer.concat(
      Array.from({ length: 1000 }, (_, index) => encodeFileGet(index + 1, { base: 0n, offset: 0n, mostBytes: 524_288, name: "image.bin" })),
    ),
  ]) {
    const client = await RawClient.opened(sidecar, role.read);
    client.socket.pause();
    const closed = new Promise((resolve) => client.socket.once("close", resolve));
    // First idle for longer than it may stall: whoever owes nothing is left alone, and is watched afterwards all the same.
    await new Promise((resolve) => setTimeout(resolve, 2 * STALL_MS));
    client.send(flood);
    const seen = sidecar.logged.length;
    while (!sidecar.logged.slice(seen).some(({ fields }) => fields.code === "client-stalled")) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.resume();
    await closed;
  }
  const grown = process.memoryUsage().rss - before;
  t.ok(grown < 200 << 20, `memory grew by ${grown >> 20} MiB; the answers would have been 500`);
  await writer.append(someRecords(4001n, 1));
  t.equal(await writer.acknowledged(4001n), 4001n, "the writer goes on");
  await writer.close();
  await isWell(t, sidecar);
});

t.test("stopping does not wait for clients that do not read", async (t) => {
  const sidecar = await start(t);
  await stored(sidecar, "~zod", 5000);
  const client = await RawClient.opened(sidecar, role.read);
  client.socket.pause();
  client.send(readOf(1, 1n));
  const half = await RawClient.opened(sidecar, role.write, "~nec");
  half.send(rawFrame(Frame.APPEND, someRecords(1n, 10)).subarray(0, 300));
  const started = performance.now();
  await sidecar.stop();
  t.ok(performance.now() - started < 20_000, "far below the stall timeout");
  client.close();
  half.close();
});

t.test("a thousand idle connections, and the next one is served; then the limit", async (t) => {
  // The idle ones never open: their time must not be over before the last has come.
  const sidecar = await start(t, { limits: { ...limits, sessions: 1010, handshakeTimeoutMs: 600_000 } });
  const idle = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const socket = net.connect(sidecar.socketPath);
      await new Promise((resolve) => socket.once("data", resolve));
      // Some say a little and stop in the middle.
      socket.write("HELLO 1\0POINT ~zod\0".slice(0, index % 19));
      return socket;
    }),
  );
  await stored(sidecar, "~zod", 10);
  const admin = await connect(sidecar, null);
  await admin.open({ role: "admin" });
  let status = await admin.admin({ verb: "status" });
  while (status.sessionCount !== 1001) {
    // The client that stored has closed; the sidecar may not have heard of it.
    status = await admin.admin({ verb: "status" });
  }
  const more = Array.from({ length: 12 }, () => net.connect(sidecar.socketPath).on("error", () => undefined));
  const ends = more.map(
    (socket) => new Promise<boolean>((resolve) => socket.once("data", () => resolve(true)).once("close", () => resolve(false))),
  );
  const welcomed = (await Promise.all(ends)).filter(Boolean).length;
  t.equal(welcomed, 9, "beyond the limit they are turned away at once");
  t.ok(sidecar.logged.some(({ text }) => text.includes("limit of sessions")));
  for (const socket of [...idle, ...more]) {
    socket.destroy();
  }
  await admin.close();
  await isWell(t, sidecar);
});
