// Writing piers: what was written reads back equal, by our reader and by LMDB's own tools; half a pier never appears.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { inspectPier } from "../../src/pier/layout.ts";
import { PierReader } from "../../src/pier/read.ts";
import { PierWriter } from "../../src/pier/write.ts";
import { pierSmallManifest, unpackPierSmall } from "../fixtures.ts";
import { buildPier, payloads, readLines, record, zodMeta } from "./helpers.ts";

const hasTools = spawnSync("mdb_dump", ["-V"]).status === 0;
const filesBelow = (folder: string) => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

t.test("the fixture, read and written again, is the same log", async (t) => {
  const base = t.testdir();
  const source = path.join(unpackPierSmall(base), ".urb", "log");
  const copy = path.join(base, "copy");
  const top = PierReader.open(source);
  const reader = PierReader.open(path.join(source, "0i0"));
  const writer = await PierWriter.create(copy, { topMeta: await top.meta() });
  await writer.epoch({ base: 0n, meta: await reader.meta(), epocTxt: "2", vereTxt: "4.6" });
  for await (const run of reader.runs(100_000)) {
    await writer.records(run.bytes);
  }
  await writer.finish();
  top.close();
  reader.close();
  t.strictSame(await readLines(path.join(copy, ".urb", "log", "0i0")), pierSmallManifest());
  t.strictSame(filesBelow(copy), filesBelow(path.join(base, "pier-small")));
  for (const name of filesBelow(copy)) {
    const status = statSync(path.join(copy, name));
    t.equal(status.mode & 0o777, status.isDirectory() ? 0o700 : 0o600, name);
  }
  t.equal(readFileSync(path.join(copy, ".urb/log/0i0/epoc.txt"), "latin1"), "2");
  t.equal(readFileSync(path.join(copy, ".urb/log/0i0/vere.txt"), "latin1"), "4.6");
  if (hasTools) {
    for (const log of ["", "0i0"]) {
      const dump = (folder: string) => execFileSync("mdb_dump", ["-a", path.join(folder, ".urb/log", log)], { maxBuffer: 1 << 28 });
      t.ok(dump(copy).equals(dump(path.join(base, "pier-small"))), `mdb_dump of ${log || "the top"} is the same`);
    }
  }
});

t.test("records cut anywhere, of every size around LMDB's limits", async (t) => {
  const sizes = [0, 1, 4, 5, 7, 8, 9, 2010, 2020, 2030, 2040, 4079, 4080, 4081, 8176, 8177, 100_000, 3_000_000];
  const all = sizes.map((size, index) => payloads(1, size, index)[0] ?? Buffer.alloc(0));
  const stream = Buffer.concat(all.map((payload, index) => record(BigInt(index + 1), payload)));
  for (const step of [1 << 30, 65_536, 4099, 1]) {
    const folder = path.join(t.testdir(), `pier-${step}`);
    const writer = await PierWriter.create(folder, { topMeta: zodMeta });
    await writer.epoch({ base: 0n, meta: zodMeta, epocTxt: "2", vereTxt: "4.6" });
    const part = step === 1 ? stream.subarray(0, 9000) : stream;
    for (let at = 0; at < part.length; at += step) {
      await writer.records(part.subarray(at, at + step));
    }
    if (step === 1) {
      await t.rejects(writer.finish(), { code: "pier-bad-record" }, "the stream ends inside a record");
      t.strictSame(readdirSync(path.dirname(folder)), []);
      continue;
    }
    await writer.finish();
    const reader = PierReader.open(path.join(folder, ".urb", "log", "0i0"));
    const got = await reader.nextRun(1n, stream.length);
    t.ok(got?.bytes.equals(stream), `steps of ${step}`);
    const survey = await reader.survey();
    t.strictSame([survey.shortEvents, survey.firstShortId], [3n, 1n]);
    reader.close();
    t.match((await inspectPier(folder, { walk: true })).warnings, [/3 events of at most 4 bytes, from 1 on/]);
  }
});

t.test("bad records end the pier and leave nothing behind", async (t) => {
  const good = record(1n, Buffer.from("abc"));
  const flip = (at: number) => {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 1;
    return bad;
  };
  const cases: [string, Buffer, string][] = [
    ["payload", flip(25), "pier-bad-record"],
    ["checksum", flip(20), "pier-bad-record"],
    ["flags", flip(16), "pier-bad-record"],
    ["padding", flip(31), "pier-bad-record"],
    ["length", flip(7), "pier-bad-record"],
    ["id", flip(8), "pier-gap"],
    ["gap", record(2n, Buffer.from("abc")), "pier-gap"],
    ["repeat", Buffer.concat([good, good]), "pier-gap"],
  ];
  for (const [name, bytes, code] of cases) {
    for (const step of [bytes.length, 5]) {
      const parent = t.testdir();
      const writer = await PierWriter.create(path.join(parent, "pier"), { topMeta: zodMeta });
      await writer.epoch({ base: 0n, meta: zodMeta, epocTxt: "2", vereTxt: null });
      const write = async () => {
        for (let at = 0; at < bytes.length; at += step) {
          await writer.records(bytes.subarray(at, at + step));
        }
      };
      await t.rejects(write(), { code }, `${name} in steps of ${step}`);
      t.strictSame(readdirSync(parent), [], "nothing is left");
      await t.rejects(writer.finish(), { code: "pier-closed" });
      await writer.abort();
    }
  }
});

t.test("places", async (t) => {
  const parent = t.testdir({ full: { file: "x" }, empty: {}, file: "x" });
  const create = (name: string) => PierWriter.create(path.join(parent, name), { topMeta: zodMeta });
  await t.rejects(create("full"), { code: "pier-exists", hint: /does not exist/ });
  await t.rejects(create("file"), { code: "pier-exists" });
  await t.rejects(create("no/such/pier"), { code: "pier-missing" });
  await buildPier(path.join(parent, "empty"), [{ base: 0n, payloads: payloads(3, 10) }]);
  t.equal((await inspectPier(path.join(parent, "empty"))).span.lastId, 3n, "an empty folder is filled");
  t.strictSame(readdirSync(path.join(parent, "empty")), [".urb"]);
  const writer = await create("late");
  await writer.epoch({ base: 0n, meta: zodMeta, epocTxt: "2", vereTxt: "4.6" });
  mkdirSync(path.join(parent, "late"));
  writeFileSync(path.join(parent, "late", "somebody"), "x");
  await t.rejects(writer.finish(), { code: "pier-exists" }, "nothing is overwritten");
  t.strictSame(readdirSync(parent).sort(), ["empty", "file", "full", "late"]);
  const aborted = await create("aborted");
  await aborted.abort();
  await aborted.abort();
  t.notOk(existsSync(path.join(parent, "aborted")));
});

t.test("epochs with snapshots", async (t) => {
  const folder = path.join(t.testdir(), "pier");
  const image = Buffer.alloc(100_000, 7);
  const writer = await PierWriter.create(folder, { topMeta: zodMeta });
  await t.rejects(PierWriter.create(folder, { topMeta: new Map([["", Buffer.alloc(1)]]) }), { code: "pier-bad-meta" });
  await writer.epoch({ base: 0n, meta: zodMeta, epocTxt: "2", vereTxt: "4.5" });
  await writer.records(Buffer.concat(payloads(10, 100).map((payload, index) => record(BigInt(index + 1), payload))));
  await writer.epoch({ base: 10n, meta: zodMeta, epocTxt: "2", vereTxt: "4.6" });
  await writer.file("image.bin", image.subarray(0, 50_000));
  await writer.file("image.bin", image.subarray(50_000));
  await writer.finish();
  const layout = await inspectPier(folder);
  t.match(layout.epochs[1]?.files, [{ name: "image.bin", lengthBytes: 100_000 }]);
  t.ok(readFileSync(path.join(folder, ".urb/log/0i10/image.bin")).equals(image));
  t.ok(readFileSync(path.join(folder, ".urb/chk/image.bin")).equals(image), "the ship can start from it");

  const other = await PierWriter.create(`${folder}-2`, { topMeta: zodMeta });
  await other.epoch({ base: 0n, meta: zodMeta, epocTxt: "2", vereTxt: "4.6" });
  await t.rejects(other.epoch({ base: 5n, meta: zodMeta, epocTxt: "2", vereTxt: "4.6" }), { code: "pier-gap" });
  const third = await PierWriter.create(`${folder}-2`, { topMeta: zodMeta });
  await third.epoch({ base: 0n, meta: zodMeta, epocTxt: "2", vereTxt: "4.6" });
  await t.rejects(third.file("../escape", image), { code: "pier-bad-file" });
});

t.test("a full disk ends the pier clearly and leaves nothing behind", async (t) => {
  const parent = t.testdir();
  const child = path.join(import.meta.dirname, "full-disk.ts");
  // A limit on the size of files fails like a full disk, and needs no file system of its own.
  const script = 'ulimit -f 4000; exec "$@"';
  const run = spawnSync("bash", ["-c", script, "bash", process.execPath, ...process.execArgv, child, path.join(parent, "pier")]);
  t.equal(run.stdout.toString().trim(), "pier-full", String(run.stderr));
  t.strictSame(readdirSync(parent), []);
});
