// The examples of docs/protocol.md are what the code writes, and it reads them back.
import { createHash } from "node:crypto";
import t from "tap";
import { createDigestChain } from "../../src/native/digest-chain.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { Frame, SentReason, Verdict } from "../../src/wire/constants.ts";
import { SeguroError } from "../../src/wire/errors.ts";
import { encodeMetaPut, encodeRead, encodeSent } from "../../src/wire/flows.ts";
import { encodeFrame, FrameReader } from "../../src/wire/frames.ts";
import { encodeBatch, encodeError, encodeHeight, encodeOpen, encodeOpened, NO_DIGEST } from "../../src/wire/messages.ts";
import { TextReader } from "../../src/wire/text.ts";
import { generatedPart, hexLines, readDocument } from "../documents.ts";

const PAYLOAD = Buffer.from([1, 2, 3, 4, 5]);

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash("sha256").update(Buffer.concat(parts)).digest();
}

/** The digests before and at event 1 of ~zod, by the formula of the document and nothing else. */
const digestBefore = sha256(Buffer.from("seguro-log-1"), Buffer.alloc(16), Buffer.from([1]), u64(0n));
const digestAtOne = sha256(digestBefore, u64(1n), u64(5n), sha256(PAYLOAD));

interface Example {
  readonly title: string;
  readonly bytes: Buffer;
}

function examples(): Example[] {
  const record = encodeRecords(1n, [PAYLOAD]);
  const busy = new SeguroError("ship-busy", "~zod is being written by session 1 (pid 4242)", "stop that one first");
  const opened = {
    log: 1,
    verdict: Verdict.NONE,
    kind: "real",
    base: 0n,
    height: 0n,
    digest: NO_DIGEST,
    epoch: 1n,
    eventBytesMax: 4_294_967_295n,
    batchBytesMax: 1n << 40n,
    inFlightBytes: 16_777_216n,
    decidedAt: 0n,
    ringBytes: 0n,
  } as const;
  return [
    { title: "> OPEN: write, real, nothing known", bytes: encodeOpen({ role: "write", kind: "real", log: 0, last: NO_DIGEST }) },
    { title: "< OPENED: log 1, empty, epoch 1", bytes: encodeOpened(opened) },
    { title: "> BATCH: one event from 1 on, 32 bytes", bytes: encodeBatch({ firstId: 1n, count: 1n, bytes: 32n }) },
    { title: "> APPEND: the record of event 1", bytes: encodeFrame(Frame.APPEND, 0, record) },
    { title: "< HEIGHT: 1, with the digest at 1", bytes: encodeHeight(1n, { id: 1n, digest: digestAtOne }) },
    {
      title: "> META_PUT, request 7: scope top, version = 03",
      bytes: encodeMetaPut(7, 0xffffffffffffffffn, { key: Buffer.from("version"), value: Buffer.from([3]) }),
    },
    { title: "< OK, request 7", bytes: encodeFrame(Frame.OK, 7, Buffer.alloc(0)) },
    {
      title: "> READ, request 8: from 1, no limit, 1 MiB of credit",
      bytes: encodeRead(8, { from: 1n, limit: 0n, creditBytes: 1n << 20n, flags: 0 }),
    },
    { title: "< RECORDS, request 8", bytes: encodeFrame(Frame.RECORDS, 8, record) },
    {
      title: "< SENT, request 8: 1 event, next 2, the end of the log",
      bytes: encodeSent(8, { count: 1n, nextId: 2n, reason: SentReason.END }),
    },
    { title: "< ERROR: ship-busy", bytes: encodeError(0, busy) },
  ];
}

function render(list: readonly Example[]): string {
  const digests = [`d(0)  ${digestBefore.toString("hex")}`, `d(1)  ${digestAtOne.toString("hex")}`];
  const frames = list.map(({ title, bytes }) => `${title}\n${hexLines(bytes, "    ")}`);
  return `\n\`\`\`hex v1\n${frames.join("\n\n")}\n\`\`\`\n\nThe digests of that log:\n\n\`\`\`\n${digests.join("\n")}\n\`\`\`\n\n`;
}

t.test("version 1: the document's examples are what the code writes", async (t) => {
  const now = render(examples());
  t.equal(generatedPart("protocol.md", "examples", now), now);
});

t.test("version 1: the code reads the document's examples", async (t) => {
  const block = /```hex v1\n([\s\S]*?)```/.exec(readDocument("protocol.md"))?.[1] ?? "";
  const stream = Buffer.from(
    block
      .split("\n")
      .filter((line) => line.startsWith("    "))
      .join("")
      .replaceAll(" ", ""),
    "hex",
  );
  const types: number[] = [];
  const reader = new FrameReader({
    streams: () => false,
    frame: (header) => {
      types.push(header.type);
    },
    piece: () => undefined,
  });
  reader.push(stream);
  t.same(
    types,
    examples().map(({ bytes }) => bytes.readUInt8(4)),
    "every frame, in order, with a good checksum",
  );
});

t.test("the digests are those of the native chain", async (t) => {
  const chain = createDigestChain({ id: 0n, digest: digestBefore });
  t.same(await chain.advance([encodeRecords(1n, [PAYLOAD])]), { id: 1n, digest: digestAtOne });
});

t.test("version 0: the document's example", async (t) => {
  const block = /```hex v0\n([\s\S]*?)```/.exec(readDocument("protocol.md"))?.[1] ?? "";
  const lines = block
    .trimEnd()
    .split("\n")
    .map((line) => /^([<>]) ([0-9a-f ]+?) {2,}(.*)$/.exec(line));
  t.equal(lines.length, 10);
  for (const line of lines) {
    const bytes = Buffer.from((line?.[2] ?? "").replaceAll(" ", ""), "hex");
    const seen: string[] = [];
    const reader = new TextReader({
      block: (text) => {
        seen.push(text);
      },
      eventBegin: (verb, id) => {
        seen.push(`${verb} ${id} newt`);
      },
      eventData: (data) => {
        t.same(data, PAYLOAD);
      },
      eventEnd: () => undefined,
    });
    t.equal(reader.push(bytes).length, 0);
    t.same(seen, [line?.[3]]);
  }
});
