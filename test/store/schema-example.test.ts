// The store shown in docs/schema.md is what the code writes, row by row.
import t from "tap";
import { Upload } from "../../src/log/files.ts";
import type { Logs } from "../../src/log/logs.ts";
import { putEpoch, putMeta } from "../../src/log/meta.ts";
import type { Writer } from "../../src/log/writer.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { makeShip } from "../../src/ship.ts";
import { FORMAT } from "../../src/store/layout.ts";
import { MemoryKv } from "../../src/store/memory.ts";
import { eachRow, type Row } from "../../src/store/rows.ts";
import { SCOPE_TOP } from "../../src/wire/constants.ts";
import { generatedPart, hexLines } from "../documents.ts";
import { identity, openLogs } from "../log/probe.ts";

/** Appends one event and resolves when it is acknowledged. */
type Append = (id: bigint, payload: number[]) => Promise<void>;

async function claimZod(logs: Logs): Promise<{ writer: Writer; append: Append }> {
  let acknowledged = (): void => undefined;
  const events = {
    acknowledged: () => acknowledged(),
    failed: (error: Error) => {
      throw error;
    },
    room: () => undefined,
  };
  const writer = await logs.claim(makeShip(0n, "fake"), "session 1 (pid 4242)", () => undefined, events);
  const append: Append = async (id, payload) => {
    const done = new Promise<void>((resolve) => {
      acknowledged = resolve;
    });
    const bytes = encodeRecords(id, [Buffer.from(payload)]);
    writer.push({ kind: "run", run: { firstId: id, lastId: id, count: 1, bytes } });
    await done;
  };
  return { writer, append };
}

/** Fake ~zod with two events in two blocks, one epoch with a file, one META entry. */
async function exampleStore(): Promise<MemoryKv> {
  const kv = new MemoryKv();
  const logs = await openLogs(kv, { writer: { ...identity, id: "3d7c4c2e-5d0f-4a53-9d52-0f6f0a7c1b11" } });
  const { writer, append } = await claimZod(logs);
  await append(1n, [1, 2, 3, 4, 5]);
  // The digest runs beside the commit: quiet, so that the second block always says the same.
  while (writer.claim.log.pair.id < 1n) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await append(2n, [6]);
  await putEpoch(kv, writer, 0n);
  await putMeta(kv, writer, SCOPE_TOP, { key: Buffer.from("version"), value: Buffer.from([3]) });
  const piece = { base: 0n, name: "epoc.txt", offset: 0n, totalBytes: 1n, data: Buffer.from("2") };
  const upload = await Upload.begin(kv, writer, piece, 0);
  await upload.add(piece);
  await logs.release(writer);
  return kv;
}

const NAMES: Readonly<Record<string, string>> = {
  b: "block",
  d: "digest",
  e: "Vere epoch",
  f: "file",
  g: "file piece",
  l: "log",
  m: "META",
  p: "piece",
  u: "upload",
};
const SPACES = ["format", "ship", "epoch"];

function title(row: Row): string {
  const space = row.key.readUInt8(0);
  return SPACES[space] ?? NAMES[row.key.toString("latin1", 22, 23)] ?? "?";
}

function render(rows: readonly Row[]): string {
  const shown = rows.map((row) => {
    const text = row.value[0] === 0x7b ? `    ${row.value.toString("utf8")}` : hexLines(row.value, "    ");
    return `${title(row)}\n  ${row.key.toString("hex")}\n${text}`;
  });
  return `\n\`\`\`\n${shown.join("\n\n")}\n\`\`\`\n\n`;
}

t.test("docs/schema.md shows a store as it is written", async (t) => {
  const kv = await exampleStore();
  const rows = [...eachRow(await kv.range(Buffer.from([0]), Buffer.from([0xff])))];
  t.equal(rows.length, 11);
  const now = render(rows);
  t.equal(generatedPart("schema.md", "example", now), now);
  t.match(now, `"format":${FORMAT - 1}}`, "no ship of it was ever moved");
});
