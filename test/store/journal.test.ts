// The journal's folder: what is in it, whom it refuses, what it says of damage, of folders of other engines, and of newer formats.
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { StoreError } from "../../src/store/errors.ts";
import { type JournalOptions, openJournal } from "../../src/store/journal.ts";
import type { Kv, Write } from "../../src/store/kv.ts";
import { openLmdb } from "../../src/store/lmdb.ts";
import { eachRow } from "../../src/store/rows.ts";

const options: JournalOptions = { startedAt: "2026-01-01T00:00:00Z", segmentBytes: 1024 * 1024, overlayBytes: 64 * 1024 };
const put = (key: string, size: number): Write => ({ kind: "put", key: Buffer.from(key), value: [Buffer.alloc(size, `${key};`)] });
const commit = (kv: Kv, ...writes: Write[]) => kv.commit([{ checks: [], writes }]);

/** The StoreError that `act` throws or rejects with; null for none. */
async function errorOf(act: () => unknown): Promise<StoreError | null> {
  try {
    await act();
    return null;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return error;
  }
}

async function keysOf(kv: Kv): Promise<string[]> {
  const rows = await kv.range(Buffer.alloc(0), Buffer.alloc(300, 0xff), { limitBytes: 2 ** 30 });
  return Array.from(eachRow(rows), (row) => row.key.toString());
}

/** A store with rows of these sizes, one commit each. */
async function storeWith(dir: string, ...sizes: number[]): Promise<void> {
  const kv = openJournal(dir, options);
  for (const [i, size] of sizes.entries()) await commit(kv, put(`key${i}`, size));
  await kv.close();
}

t.test("files are the owner's alone", async (t) => {
  const dir = path.join(t.testdir(), "store");
  await storeWith(dir, 10);
  t.strictSame(readdirSync(dir).sort(), ["base", "segments", "seguro.lock"]);
  for (const name of readdirSync(dir, { recursive: true })) {
    const { mode } = statSync(path.join(dir, String(name)));
    t.equal(mode & 0o077, 0, String(name));
  }
});

t.test("what goes through the base many times is all there, and segments are used again", async (t) => {
  const dir = t.testdir();
  const sizes = Array.from({ length: 300 }, (_, i) => (i * 977) % 40_000);
  await storeWith(dir, ...sizes);
  const kv = openJournal(dir, options);
  t.equal((await keysOf(kv)).length, sizes.length);
  for (const [i, size] of sizes.entries()) t.ok((await kv.get(Buffer.from(`key${i}`)))?.equals(Buffer.alloc(size, `key${i};`)));
  const { baseSequence, segments, entries } = await kv.stats();
  t.ok(Number(baseSequence) > 200 && Number(segments) < 6, `base ${baseSequence}, ${segments} segments, ${entries} rows in the base`);
  await kv.close();
});

t.test("opened for reading: reads what only the log has, changes nothing, refuses commits, holds the lock", async (t) => {
  const dir = t.testdir();
  await storeWith(dir, 10, 20, 70_000, 30);
  const before = readdirSync(path.join(dir, "segments")).map((name) => readFileSync(path.join(dir, "segments", name)));
  const kv = openJournal(dir, { ...options, readOnly: true });
  t.strictSame(await keysOf(kv), ["key0", "key1", "key2", "key3"]);
  t.equal((await errorOf(() => commit(kv, put("a", 1))))?.code, "store-readonly");
  t.equal((await errorOf(() => openJournal(dir, options)))?.code, "store-locked");
  await kv.close();
  const after = readdirSync(path.join(dir, "segments")).map((name) => readFileSync(path.join(dir, "segments", name)));
  t.strictSame(
    after.map((bytes, i) => bytes.equals(before[i] ?? Buffer.alloc(0))),
    before.map(() => true),
  );
});

t.test("a store that is not there is created or reported, as asked", async (t) => {
  const dir = path.join(t.testdir(), "none");
  t.equal((await errorOf(() => openJournal(dir, { ...options, create: false })))?.code, "store-missing");
  t.equal((await errorOf(() => openJournal(dir, { ...options, readOnly: true })))?.code, "store-missing");
});

t.test("a folder of another engine is refused, and told which", async (t) => {
  const dir = t.testdir();
  const lmdb = path.join(dir, "lmdb");
  const kv = openLmdb(lmdb, options);
  await commit(kv, put("a", 10));
  await kv.close();
  t.match(await errorOf(() => openJournal(lmdb, options)), { code: "store-missing", message: /lmdb:/ });
  t.strictSame(readdirSync(lmdb).sort(), ["data.mdb", "lock.mdb", "seguro.lock"], "nothing was made in it");
  const journal = path.join(dir, "journal");
  await storeWith(journal, 10);
  t.match(await errorOf(() => openLmdb(journal, options)), { code: "store-missing", message: /journal:/ });
  t.match(await errorOf(() => openLmdb(path.join(journal, "base"), options)), { code: "store-missing", message: /journal:/ });
  await storeWith(journal, 10);
});

t.test("segments that are gone are damage, and so is one with changed bytes; nothing is served then", async (t) => {
  const root = t.testdir();
  const sound = path.join(root, "sound");
  await storeWith(sound, 3000, 3000, 3000);
  const gone = path.join(root, "gone");
  cpSync(sound, gone, { recursive: true });
  rmSync(path.join(gone, "segments"), { recursive: true });
  t.equal((await errorOf(() => openJournal(gone, options)))?.code, "store-damaged");
  const changed = path.join(root, "changed");
  cpSync(sound, changed, { recursive: true });
  let at = -1;
  for (const name of readdirSync(path.join(changed, "segments"))) {
    const file = path.join(changed, "segments", name);
    const bytes = readFileSync(file);
    at = bytes.indexOf("key1;key1;");
    if (at < 0) continue;
    bytes.write("K", at + 300, "latin1");
    writeFileSync(file, bytes);
    const error = await errorOf(() => openJournal(changed, options));
    t.match(error, {
      code: "store-damaged",
      message: new RegExp(`${name} at byte \\d+: .*record \\d+ (at least is lost|may have been there)`),
    });
    t.match(await errorOf(() => openJournal(changed, { ...options, readOnly: true })), { code: "store-damaged" });
    break;
  }
  t.ok(at >= 0, "the row was found in a segment");
});
