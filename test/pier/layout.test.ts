// Whole piers: identity, epochs in every state that Vere leaves behind, gaps and overlaps, formats of other Veres, a pier that runs.
import { spawn } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { inspectPier } from "../../src/pier/layout.ts";
import { identityOf, type PierMeta } from "../../src/pier/meta.ts";
import { PierReader } from "../../src/pier/read.ts";
import { pierSmallShip, unpackPierSmall } from "../fixtures.ts";
import { buildPier, payloads, zodMeta } from "./helpers.ts";

const image = Buffer.alloc(20_000, 9);
const threeEpochs = [
  { base: 0n, payloads: payloads(20, 300) },
  { base: 20n, payloads: payloads(5, 5000), image },
  { base: 25n, payloads: [], image },
];

t.test("the fixture", async (t) => {
  const pier = unpackPierSmall(t.testdir());
  for (const given of [pier, path.join(pier, ".urb"), path.join(pier, ".urb/log")]) {
    const layout = await inspectPier(given, { walk: true });
    t.strictSame(layout.identity, pierSmallShip);
    t.strictSame(layout.span, { firstId: 1n, lastId: 2000n, count: 2000n });
    t.strictSame([layout.pier, layout.runningPid, layout.warnings], [pier, null, []]);
    t.match(layout.epochs, [{ base: 0n, epocTxt: "2", vereTxt: "4.6", files: [], logBytes: 3_121_152, survey: { largestBytes: 583_255 } }]);
  }
});

t.test("several epochs, the last one empty, and META with empty values", async (t) => {
  const pier = path.join(t.testdir(), "pier");
  await buildPier(pier, threeEpochs);
  const layout = await inspectPier(pier);
  t.strictSame(layout.identity, { number: 0n, name: "~zod", fake: true, life: 5 });
  t.strictSame(layout.span, { firstId: 1n, lastId: 25n, count: 25n });
  t.strictSame(
    layout.epochs.map(({ base, span, files }) => [base, span.firstId, span.lastId, files]),
    [
      [0n, 1n, 20n, []],
      [20n, 21n, 25n, [{ name: "image.bin", lengthBytes: 20_000 }]],
      [25n, 0n, 0n, [{ name: "image.bin", lengthBytes: 20_000 }]],
    ],
  );
  t.equal(layout.topMeta.get("who")?.length, 0);
  t.strictSame(layout.epochs[2]?.meta, zodMeta);
});

t.test("a chopped log begins above event 1", async (t) => {
  const pier = path.join(t.testdir(), "pier");
  await buildPier(pier, threeEpochs);
  rmSync(path.join(pier, ".urb/log/0i0"), { recursive: true });
  t.strictSame((await inspectPier(pier)).span, { firstId: 21n, lastId: 25n, count: 5n });
  rmSync(path.join(pier, ".urb/log/0i20"), { recursive: true });
  t.strictSame((await inspectPier(pier)).span, { firstId: 0n, lastId: 0n, count: 0n });
});

t.test("gaps and overlaps name their events", async (t) => {
  const log = (name: string) => path.join(t.testdirName, name, ".urb/log");
  t.testdir();
  const build = async (name: string) => {
    const pier = path.join(t.testdirName, name);
    await buildPier(pier, threeEpochs);
    return pier;
  };
  const lost = await build("lost");
  rmSync(path.join(log("lost"), "0i20"), { recursive: true });
  await t.rejects(inspectPier(lost), { code: "pier-gap", message: /ends with 20.* begins after 25/ });
  const above = await build("above");
  renameSync(path.join(log("above"), "0i20"), path.join(log("above"), "0i22"));
  await t.rejects(inspectPier(above), { code: "pier-gap", message: /20.*22/ });
  const below = await build("below");
  renameSync(path.join(log("below"), "0i20"), path.join(log("below"), "0i18"));
  await t.rejects(inspectPier(below), { code: "pier-overlap", message: /18.*20/ });
  const shifted = await build("shifted");
  rmSync(path.join(log("shifted"), "0i0"), { recursive: true });
  rmSync(path.join(log("shifted"), "0i25"), { recursive: true });
  renameSync(path.join(log("shifted"), "0i20"), path.join(log("shifted"), "0i10"));
  await t.rejects(inspectPier(shifted), { code: "pier-gap", message: /should begin with event 11, and begins with 21/ });
});

t.test("formats of other Veres, and folders that are no pier", async (t) => {
  const base = t.testdir({ nothing: {}, file: "x", book: { ".urb": { log: { "0i0": { "book.log": "x" } } } } });
  const pier = path.join(base, "pier");
  await buildPier(pier, threeEpochs);
  const variant = (name: string, change: (log: string) => void) => {
    const copy = path.join(base, name);
    cpSync(pier, copy, { recursive: true });
    change(path.join(copy, ".urb/log"));
    return inspectPier(copy);
  };
  await t.rejects(inspectPier(path.join(base, "nothing")), { code: "pier-missing", message: /is not a pier/ });
  await t.rejects(inspectPier(path.join(base, "no")), { code: "pier-missing" });
  await t.rejects(inspectPier(path.join(base, "file")), { code: "pier-missing" });
  await t.rejects(
    variant("version3", (log) => writeFileSync(path.join(log, "0i0/epoc.txt"), "3")),
    { code: "pier-unsupported", message: /"3"/ },
  );
  await t.rejects(
    variant("book-epoch", (log) => writeFileSync(path.join(log, "0i25/book.log"), "x")),
    { code: "pier-unsupported" },
  );
  await t.rejects(
    variant("flat", (log) => cpSync(path.join(log, "0i0/data.mdb"), path.join(log, "data.mdb"))),
    { code: "pier-unsupported", message: /outside of epochs/ },
  );
  await t.rejects(
    variant("no-top", (log) => rmSync(path.join(log, "data.mdb"))),
    { code: "pier-damaged" },
  );
  await t.rejects(
    variant("no-epoc-txt", (log) => rmSync(path.join(log, "0i0/epoc.txt"))),
    { code: "pier-damaged", message: /holds events but no epoc.txt/ },
  );
  const unfinished = await variant("unfinished", (log) => rmSync(path.join(log, "0i25/epoc.txt")));
  t.match(unfinished, { warnings: [/left out/], span: { lastId: 25n } });
  const begun = await variant("begun", (log) => mkdirSync(path.join(log, "0i26")));
  t.match(begun, { warnings: [/0i26 has no data.mdb/] });
  await t.rejects(
    variant("mixed", (log) => cpSync(path.join(unpackPierSmall(base), ".urb/log/data.mdb"), path.join(log, "data.mdb"))),
    { code: "pier-damaged", message: /another ship/ },
  );
});

t.test("identities", async (t) => {
  const meta = (who: string, fake = "01", life = "05"): PierMeta =>
    new Map(Object.entries({ who, fake, life }).map(([key, hex]) => [key, Buffer.from(hex, "hex")]));
  t.strictSame(identityOf(meta("0001"), "x"), { number: 256n, name: "~marzod", fake: false, life: 5 });
  t.equal(identityOf(meta("ffffffffffffffffffffffffffffffff"), "x").number, 2n ** 128n - 1n);
  t.equal(identityOf(meta("", "", "0001"), "x").life, 256);
  t.throws(() => identityOf(meta("00".repeat(17)), "x"), { code: "pier-damaged" });
  t.throws(() => identityOf(new Map(), "x"), { code: "pier-damaged", message: /who/ });
});

t.test(
  "a folder that cannot be written, and one that cannot be read",
  { skip: process.getuid?.() === 0 && "root may do anything" },
  async (t) => {
    const log = path.join(unpackPierSmall(t.testdir()), ".urb/log/0i0");
    chmodSync(log, 0o500);
    const reader = PierReader.open(log);
    t.equal((await reader.span()).lastId, 2000n);
    reader.close();
    chmodSync(path.join(log, "data.mdb"), 0);
    t.throws(() => PierReader.open(log), { code: "pier-permission" });
    chmodSync(log, 0o700);
  },
);

t.test("a pier that runs is recognised by its lock", async (t) => {
  const pier = unpackPierSmall(t.testdir());
  const lock = path.join(pier, ".vere.lock");
  writeFileSync(lock, "12345");
  t.equal((await inspectPier(pier)).runningPid, null, "a stale file is no lock");
  const script = `import fcntl, sys; f = open(sys.argv[1], "r+"); fcntl.lockf(f, fcntl.LOCK_EX, 1); print("held", flush=True); sys.stdin.read()`;
  const holder = spawn("python3", ["-c", script, lock], { stdio: ["pipe", "pipe", "inherit"] });
  const held = await new Promise((resolve) => {
    holder.once("error", () => resolve(false));
    holder.stdout.once("data", () => resolve(true));
  });
  if (held === true) {
    t.equal((await inspectPier(pier)).runningPid, holder.pid);
    holder.stdin.end();
    await new Promise((resolve) => holder.once("exit", resolve));
    t.equal((await inspectPier(pier)).runningPid, null);
  } else {
    t.comment("no python3 here to hold the lock");
  }
});
