// The client's flows against a scripted server: appending, acknowledgements, reading with credit, errors, loss.
import t from "tap";
import { Client } from "../../src/client/client.ts";
import { bufferSource } from "../../src/client/files.ts";
import { FILE_PIECE_BYTES, FRAME_BODY_MAX, Frame, SentReason } from "../../src/wire/constants.ts";
import { SeguroError } from "../../src/wire/errors.ts";
import {
  decodeFileGet,
  decodeFilePut,
  decodeRead,
  decodeU64,
  encodeDigestIs,
  encodeEpochs,
  encodeFileIs,
  encodeMetaIs,
  encodeMetaListed,
  encodeSent,
  encodeU64,
} from "../../src/wire/flows.ts";
import { encodeFrame } from "../../src/wire/frames.ts";
import { encodeError, encodeHeight, encodeOpened, NO_DIGEST } from "../../src/wire/messages.ts";
import { fakeServer, record, type Script, type Session } from "./fake-server.ts";

const OPENED = encodeOpened({
  log: 1,
  verdict: 0,
  kind: "real",
  base: 1n,
  height: 10n,
  digest: { id: 10n, digest: Buffer.alloc(32, 7) },
  epoch: 3n,
  eventBytesMax: 0xffffffffn,
  batchBytesMax: 1n << 40n,
  inFlightBytes: 16_777_216n,
  decidedAt: 0n,
  ringBytes: 0n,
});

type Handler = NonNullable<Script["frame"]>;

async function opened(t: Tap, frame: Handler): Promise<{ client: Client; sessions: Session[] }> {
  const server = await fakeServer({
    frame: (session, header, body) => {
      if (header.type === Frame.OPEN) {
        session.send(OPENED);
      } else {
        frame(session, header, body);
      }
    },
  });
  const client = await Client.connect(server.socketPath, "~zod");
  t.teardown(async () => {
    await client.close();
    await server.stop();
  });
  await client.open({ role: "write" });
  return { client, sessions: server.sessions };
}

type Tap = { teardown(fn: () => unknown): void };

t.test("open tells the height and the pair", async (t) => {
  const { client } = await opened(t, () => undefined);
  t.equal(client.height, 10n);
  t.same(client.digestPair, { id: 10n, digest: Buffer.alloc(32, 7) });
});

t.test("append splits at the frame limit and hears heights", async (t) => {
  const got: Buffer[] = [];
  const { client } = await opened(t, (session, header, body) => {
    t.equal(header.type, Frame.APPEND);
    got.push(body);
    if (Buffer.concat(got).length === records.length) {
      session.send(encodeHeight(11n, { id: 11n, digest: Buffer.alloc(32, 1) }));
      session.send(encodeHeight(12n, { id: 12n, digest: Buffer.alloc(32, 2) }));
    }
  });
  const records = Buffer.concat([record(11n, Buffer.alloc(2_500_000, 1)), record(12n, Buffer.from("x"))]);
  const heights: bigint[] = [];
  client.onHeight = (height) => heights.push(height);
  await client.append(records);
  t.equal(await client.acknowledged(12n), 12n);
  t.same(heights, [11n, 12n]);
  t.same(Buffer.concat(got), records);
  t.equal(got[0]?.length, FRAME_BODY_MAX);
  t.equal(client.digestPair.id, 12n);
});

t.test("append waits for a server that does not read", async (t) => {
  const { client, sessions } = await opened(t, () => undefined);
  sessions[0]?.socket.pause();
  const records = record(11n, Buffer.alloc(1 << 20));
  let sent = 0;
  const sending = (async () => {
    for (; sent < 64; sent++) {
      await client.append(records);
    }
  })();
  await client.append(Buffer.alloc(0));
  for (let turns = 0; turns < 200; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(sent < 16, `${sent} MiB taken while nobody reads`);
  sessions[0]?.socket.resume();
  await sending;
  t.equal(sent, 64);
});

t.test("answers are heard while appending without a pause", async (t) => {
  const { client } = await opened(t, (session) => session.send(encodeHeight(11n, NO_DIGEST)));
  const records = record(11n, Buffer.alloc(1000));
  let calls = 0;
  for (; client.height < 11n && calls < 1_000_000; calls++) {
    await client.append(records);
  }
  t.ok(calls < 1_000_000, `heard after ${calls} calls`);
});

t.test("an atomic batch announces itself", async (t) => {
  const types: number[] = [];
  const { client } = await opened(t, (session, header) => {
    types.push(header.type);
    if (types.length === 3) {
      session.send(encodeHeight(12n, NO_DIGEST));
    }
  });
  const pieces = [record(11n, Buffer.from("a")), record(12n, Buffer.from("b"))];
  await client.appendAtomic({ firstId: 11n, count: 2n, bytes: 64n }, pieces);
  await client.acknowledged(12n);
  t.same(types, [Frame.BATCH, Frame.APPEND, Frame.APPEND]);
});

t.test("a read gives credit back as it is taken", async (t) => {
  const total = 5 * FRAME_BODY_MAX;
  let credit = 0;
  let sent = 0;
  const feed = (session: Session, request: number): void => {
    while (credit > 0 && sent < total) {
      const body = Buffer.alloc(Math.min(credit, FRAME_BODY_MAX, total - sent), 9);
      session.send(encodeFrame(Frame.RECORDS, request, body));
      credit -= body.length;
      sent += body.length;
    }
    if (sent === total) {
      session.send(encodeSent(request, { count: 1n, nextId: 12n, reason: SentReason.END }));
    }
  };
  const { client } = await opened(t, (session, header, body) => {
    credit += header.type === Frame.READ ? Number(decodeRead(body).creditBytes) : Number(decodeU64(body, "CREDIT"));
    feed(session, header.request);
  });
  const read = client.read({ from: 1n, windowBytes: 1 << 20 });
  let got = 0;
  for await (const piece of read) {
    got += piece.length;
  }
  t.equal(got, total);
  t.same(read.sent, { count: 1n, nextId: 12n, reason: SentReason.END });
});

t.test("leaving a read early cancels it; a tail goes live", async (t) => {
  const types: number[] = [];
  const { client } = await opened(t, (session, header) => {
    types.push(header.type);
    if (header.type === Frame.READ) {
      session.send(encodeFrame(Frame.RECORDS, header.request, record(1n, Buffer.from("a"))));
      session.send(encodeU64(Frame.LIVE, header.request, 1n));
      session.send(encodeFrame(Frame.RECORDS, header.request, record(2n, Buffer.from("b"))));
    } else if (header.type === Frame.CANCEL) {
      session.send(encodeSent(header.request, { count: 2n, nextId: 3n, reason: SentReason.CANCELLED }));
    }
  });
  const read = client.read({ from: 1n, tail: true });
  let bytes = 0;
  for await (const piece of read) {
    bytes += piece.length;
    if (bytes === 64) {
      break;
    }
  }
  t.equal(read.liveHeight, 1n);
  t.equal(read.sent?.reason, SentReason.CANCELLED);
  t.same(types, [Frame.READ, Frame.CANCEL]);
});

t.test("metadata, epochs, digest, ping and administration", async (t) => {
  const { client } = await opened(t, (session, { type, request }, body) => {
    const entry = { key: Buffer.from("who"), value: Buffer.alloc(0) };
    if (type === Frame.META_GET) {
      session.send(encodeMetaIs(request, body.length === 9 ? null : Buffer.alloc(0)));
    } else if (type === Frame.META_LIST) {
      session.send(encodeMetaListed(request, [entry]));
    } else if (type === Frame.EPOCH_LIST) {
      session.send(encodeEpochs(request, [{ base: 0n, fileBytes: 1n, fileCrc: 2, name: "epoc.txt" }]));
    } else if (type === Frame.DIGEST) {
      session.send(encodeDigestIs(request, { id: decodeU64(body, "DIGEST"), digest: Buffer.alloc(32, 5) }));
    } else if (type === Frame.PING) {
      session.send(encodeFrame(Frame.PONG, request, body));
    } else if (type === Frame.ADMIN) {
      session.send(encodeFrame(Frame.ADMIN_IS, request, Buffer.from('{"id":5}'), 1));
      session.send(encodeFrame(Frame.ADMIN_IS, request, Buffer.from('{"events":9}')));
    } else {
      session.send(encodeFrame(Frame.OK, request, Buffer.alloc(0)));
    }
  });
  const progress: unknown[] = [];
  const answers = await Promise.all([
    client.metaGet(0n, Buffer.from("x")),
    client.metaGet(0n, Buffer.from("who")),
    client.metaList(),
    client.epochs(),
    client.digest(9n),
    client.ping(Buffer.from("hi")),
    client.admin({ verb: "verify" }, (step) => progress.push(step)),
    client.epochPut(0n),
    client.metaPut(0n, { key: Buffer.from("who"), value: Buffer.alloc(1) }),
  ]);
  t.same(answers.slice(0, 3), [null, Buffer.alloc(0), [{ key: Buffer.from("who"), value: Buffer.alloc(0) }]]);
  t.same(answers[3], [{ base: 0n, fileBytes: 1n, fileCrc: 2, name: "epoc.txt" }]);
  t.same(answers[4], { id: 9n, digest: Buffer.alloc(32, 5) });
  t.same(answers[5], Buffer.from("hi"));
  t.same(answers[6], { events: 9 });
  t.same(progress, [{ id: 5 }]);
});

t.test("files go out in full pieces and come back whole", async (t) => {
  const stored: Buffer[] = [];
  const { client } = await opened(t, (session, { type, request }, body) => {
    if (type === Frame.FILE_PUT) {
      const piece = decodeFilePut(body);
      t.equal(Number(piece.offset), Buffer.concat(stored).length);
      stored.push(piece.data);
      session.send(encodeFrame(Frame.OK, request, Buffer.alloc(0)));
    } else {
      const get = decodeFileGet(body);
      const whole = Buffer.concat(stored);
      const from = Number(get.offset);
      session.send(encodeFileIs(request, BigInt(whole.length), whole.subarray(from, from + get.mostBytes)));
    }
  });
  const image = Buffer.alloc(5 * FILE_PIECE_BYTES + 3, 4);
  await client.filePut(0n, "image.bin", bufferSource(image));
  t.same(
    stored.map((piece) => piece.length),
    [...Array(5).fill(FILE_PIECE_BYTES), 3],
  );
  const pieces: Buffer[] = [];
  for await (const piece of client.fileGet(0n, "image.bin")) {
    pieces.push(piece);
  }
  t.same(Buffer.concat(pieces), image);
  stored.length = 0;
  await client.filePut(0n, "vere.txt", bufferSource(Buffer.alloc(0)));
  t.equal(stored.length, 1, "an empty file is one empty piece");
});

t.test("errors: of a request, of the session, of the connection", async (t) => {
  const { client } = await opened(t, (session, { type, request }) => {
    const error = new SeguroError(type === Frame.APPEND ? "append-gap" : "no-such-event", "said so", "do this", { id: 5n });
    session.send(encodeError(type === Frame.APPEND ? 0 : request, error));
  });
  await t.rejects(client.digest(99n), { code: "no-such-event", message: "said so", hint: "do this", id: 5n });
  t.equal(client.failure, null, "an error of a request leaves the session alone");
  const waiting = client.acknowledged(50n);
  const read = client.read({ from: 1n });
  t.rejects(read.next(), { code: "no-such-event" });
  await client.append(record(50n, Buffer.from("x")));
  await t.rejects(waiting, { code: "append-gap" });
  await t.rejects(client.append(record(51n, Buffer.from("x"))), { code: "append-gap" });
});

t.test("a lost connection is told to everything that waits", async (t) => {
  const { client } = await opened(t, (session) => session.socket.destroy());
  const waiting = Promise.allSettled([client.acknowledged(50n), client.read({ from: 1n }).next(), client.ping()]);
  for (const result of await waiting) {
    t.match(result, { status: "rejected", reason: { code: "connection-lost" } });
  }
});

t.test("frames that make no sense end the session", async (t) => {
  for (const nonsense of [
    Buffer.alloc(64, 3),
    encodeFrame(Frame.OK, 4242, Buffer.alloc(0)),
    encodeFrame(Frame.OPENED, 1, Buffer.alloc(2)),
  ]) {
    const { client } = await opened(t, (session) => session.send(nonsense));
    await t.rejects(client.digest(1n));
    t.not(client.failure, null);
  }
});
