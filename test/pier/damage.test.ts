// Damaged copies of the fixture: every answer is a clear error or exactly the right events, never other bytes, a crash or a hang.
import { copyFileSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import t from "tap";
import { PierError } from "../../src/pier/errors.ts";
import { inspectPier } from "../../src/pier/layout.ts";
import { PierReader } from "../../src/pier/read.ts";
import { pierSmallManifest, unpackPierSmall } from "../fixtures.ts";
import { buildPier, line, parseRecords, payloads, readLines } from "./helpers.ts";

const pageBytes = 4096;
const manifest = pierSmallManifest();
const base = t.testdir();
const pier = unpackPierSmall(base);
const original = readFileSync(path.join(pier, ".urb/log/0i0/data.mdb"));
const pages = original.length / pageBytes;
const scratch = path.join(base, "scratch");
const dataPath = path.join(scratch, "data.mdb");
mkdirSync(scratch);
writeFileSync(dataPath, original);
const file = openSync(dataPath, "r+");

/** Overwrites a page for the time of `use`. */
async function withPage<T>(page: number, bytes: Buffer, use: () => Promise<T>): Promise<T> {
  writeSync(file, bytes, 0, pageBytes, page * pageBytes);
  try {
    return await use();
  } finally {
    writeSync(file, original, page * pageBytes, pageBytes, page * pageBytes);
  }
}

const isTreePage = (page: number) =>
  original.readBigUInt64LE(page * pageBytes) === BigInt(page) && [1, 2].includes(original.readUInt16LE(page * pageBytes + 10));
const treePages = Array.from({ length: pages - 2 }, (_, index) => index + 2).filter(isTreePage);

interface Outcome {
  error: PierError | null;
  /** Events got before the error, as manifest lines. */
  lines: ReturnType<typeof line>[];
}

async function readAll(maxBytes = 1 << 20): Promise<Outcome> {
  const lines: Outcome["lines"] = [];
  let reader: PierReader | null = null;
  try {
    reader = PierReader.open(scratch);
    await reader.meta();
    const parts: Buffer[] = [];
    try {
      for await (const run of reader.runs(maxBytes, 1n)) {
        parts.push(run.bytes);
      }
    } finally {
      lines.push(...parseRecords(Buffer.concat(parts)).map(line));
    }
    return { error: null, lines };
  } catch (error) {
    if (!(error instanceof PierError)) {
      throw error;
    }
    return { error, lines };
  } finally {
    reader?.close();
  }
}

/** Whether what was read is right as far as it goes, and goes to the end unless an error says why not. */
const rightOrRefused = ({ error, lines }: Outcome) =>
  lines.every((got, index) => got.sha256 === manifest[index]?.sha256 && got.id === manifest[index]?.id) &&
  (error === null ? lines.length === manifest.length : error.message !== "");

t.test("every page zeroed in turn", async (t) => {
  const zeros = Buffer.alloc(pageBytes);
  const codes = new Map<string, number>();
  for (let page = 0; page < pages; page++) {
    const outcome = await withPage(page, zeros, () => readAll());
    const code = outcome.error?.code ?? "right";
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (!rightOrRefused(outcome)) {
      t.fail(`page ${page} zeroed: ${code}, ${outcome.lines.length} events`);
    }
    if (page < 2) {
      t.match(outcome.error, { code: "pier-damaged", message: new RegExp(`meta page ${page} of 2 is lost`) });
    }
  }
  t.comment(Object.fromEntries(codes));
  t.strictSame([...codes.keys()].sort(), ["pier-damaged", "pier-zero-page", "right"]);
  t.ok((codes.get("right") ?? 0) < 14, "only pages that are not in use");
});

t.test("a survey and an inspection find lost pages too", async (t) => {
  const inner = path.join(pier, ".urb/log/0i0/data.mdb");
  const leaf = treePages.find((page) => page > 300) ?? 0;
  for (const page of [0, 1, leaf]) {
    const copy = Buffer.from(original);
    copy.fill(0, page * pageBytes, (page + 1) * pageBytes);
    writeFileSync(inner, copy);
    await t.rejects(inspectPier(pier, { walk: true }), { code: "pier-damaged" }, `page ${page}`);
  }
  writeFileSync(inner, original);
  t.equal((await inspectPier(pier, { walk: true })).span.lastId, 2000n);
});

t.test("truncation at many lengths", async (t) => {
  const lengths = [0, 1, 15, 16, 4095, 4096, 4200, 8191, 8192, original.length - 1, original.length - pageBytes];
  for (let length = 12_288; length < original.length; length += 33_333) {
    lengths.push(length);
  }
  for (const length of lengths) {
    truncateSync(dataPath, length);
    const outcome = await readAll();
    t.ok(rightOrRefused(outcome), `${length} bytes: ${outcome.error?.code ?? "right"}`);
    const reader = PierReader.open(scratch);
    const span = await reader.span().catch((error: unknown) => error);
    t.match(span, outcome.error === null ? { lastId: 2000n } : { code: "pier-damaged" }, "the cheap check says the same");
    reader.close();
    copyFileSync(path.join(pier, ".urb/log/0i0/data.mdb"), dataPath);
  }
});

t.test("garbled meta pages", async (t) => {
  // magic, version, page size, flags, roots, last page, transaction
  const fields = [0, 8, 10, 12, 16, 20, 40, 44, 46, 72, 80, 88, 94, 112, 120, 128, 136, 144, 151];
  let right = 0;
  for (const meta of [0, 1]) {
    for (const field of fields) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const page = Buffer.from(original.subarray(meta * pageBytes, (meta + 1) * pageBytes));
        page[field] = (page[field] ?? 0) ^ flip;
        const outcome = await withPage(meta, page, () => readAll());
        right += outcome.error === null ? 1 : 0;
        if (!rightOrRefused(outcome)) {
          t.fail(`meta ${meta}, byte ${field} ^ ${flip}`);
        }
      }
    }
  }
  t.comment(`${right} of ${2 * 3 * fields.length} made no difference`);
});

t.test("a meta page from long ago", async (t) => {
  const page = Buffer.from(original.subarray(pageBytes, 2 * pageBytes));
  page.writeBigUInt64LE(page.readBigUInt64LE(144) - 10n, 144);
  const { error } = await withPage(1, page, () => readAll());
  t.match(error, { code: "pier-damaged", message: /transactions \d+ and \d+, which cannot be/ });
});

t.test("seeded garbage", async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  t.comment(`SEED=${seed}`);
  const damage = fc.record({
    page: fc.constantFrom(...treePages),
    at: fc.nat({ max: 600 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ page, at, bytes }) => {
      const garbled = Buffer.from(original.subarray(page * pageBytes, (page + 1) * pageBytes));
      garbled.set(bytes, at);
      const outcome = await withPage(page, garbled, () => readAll());
      // A payload inside a leaf has no checksum, so other bytes there cannot be told; ids, order and count can.
      return outcome.lines.every((got, index) => got.id === BigInt(index + 1)) && (outcome.error !== null || outcome.lines.length === 2000);
    }),
    { seed, numRuns: 300, interruptAfterTimeLimit: 8000, markInterruptAsFailure: false },
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...treePages, 0, 1), fc.constantFrom(...treePages, 0, 1), async (page, other) => {
      const foreign = Buffer.from(original.subarray(other * pageBytes, (other + 1) * pageBytes));
      return rightOrRefused(await withPage(page, foreign, () => readAll()));
    }),
    { seed, numRuns: 200, interruptAfterTimeLimit: 8000, markInterruptAsFailure: false },
  );
});

t.test("zero pages inside an event: refused, unless they are accepted", async (t) => {
  const folder = path.join(t.testdir(), "pier");
  const [event = Buffer.alloc(0)] = payloads(1, 50_000);
  event.fill(0, 10_000, 30_000);
  const [tail = Buffer.alloc(0)] = payloads(1, 4080 + 20);
  tail.fill(0, 4080);
  const [small = Buffer.alloc(0)] = payloads(1, 1000);
  const [near = Buffer.alloc(0)] = payloads(1, 20_000);
  near.fill(0, 5000, 5000 + 4096);
  await buildPier(folder, [{ base: 0n, payloads: [small, near, event, tail] }]);
  const log = path.join(folder, ".urb/log/0i0");
  const reader = PierReader.open(log);
  t.equal((await reader.nextRun(1n, 1 << 20))?.lastId, 2n, "zeros off the grid are no page, and events before the doubtful one are given");
  await t.rejects(reader.nextRun(3n, 1 << 20), { code: "pier-zero-page", message: /event 3 .* at byte \d+/, hint: /accept/ });
  await t.rejects(reader.nextRun(3n, 4096), { code: "pier-zero-page" }, "in pieces as well");
  await t.rejects(reader.nextRun(4n, 1 << 20), { code: "pier-zero-page" }, "a last page with nothing but zeros");
  reader.close();
  const accepted = (await readLines(log, 4096, { acceptZeroPages: true })).map((got) => got.sha256);
  t.strictSame(
    accepted,
    [small, near, event, tail].map((payload, index) => line({ id: BigInt(index + 1), payload }).sha256),
  );
});
