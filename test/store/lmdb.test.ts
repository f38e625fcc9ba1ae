// The embedded store's files: who may read them, what is said of damaged ones, and how a full map, a read-only folder and an idle store behave.
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import t, { type Test } from "tap";
import type { EmbeddedOptions } from "../../src/store/embedded.ts";
import { StoreError } from "../../src/store/errors.ts";
import type { Kv, Write } from "../../src/store/kv.ts";
import { openLmdb } from "../../src/store/lmdb.ts";
import { plainTree } from "../crash/plain-tree.ts";

const options: EmbeddedOptions = { startedAt: "2026-01-01T00:00:00Z" };
const pageBytes = 4096;

const put = (key: string, size: number): Write => ({ kind: "put", key: Buffer.from(key), value: [Buffer.alloc(size, key)] });
const commit = (kv: Kv, ...writes: Write[]) => kv.commit([{ checks: [], writes }]);

/** The code of the StoreError that `act` throws or rejects with; null for none. */
async function codeOf(act: () => unknown): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return error.hint === "" ? "no hint" : error.code;
  }
}

async function storeWith(dir: string, ...sizes: number[]): Promise<string> {
  const kv = openLmdb(dir, options);
  for (const [i, size] of sizes.entries()) await commit(kv, put(`key${i}`, size));
  await kv.close();
  return path.join(dir, "data.mdb");
}

t.test("files are the owner's alone, and nothing is left of their making", async (t) => {
  const dir = path.join(t.testdir(), "store");
  await storeWith(dir, 10);
  t.strictSame(readdirSync(dir).sort(), ["data.mdb", "lock.mdb", "seguro.lock"]);
  for (const name of readdirSync(dir)) t.equal(statSync(path.join(dir, name)).mode & 0o777, 0o600, name);
  t.match(JSON.parse(readFileSync(path.join(dir, "seguro.lock"), "utf8")), { pid: process.pid, startedAt: options.startedAt });
});

t.test("what a crash left of making a store does not matter", async (t) => {
  const dir = t.testdir({ creating: { "data.mdb": "torn", "lock.mdb": "" } });
  await storeWith(dir, 10);
  t.strictSame(readdirSync(dir).sort(), ["data.mdb", "lock.mdb", "seguro.lock"]);
});

t.test("a store that is not there is created or reported, as asked", async (t) => {
  const dir = path.join(t.testdir(), "none");
  t.equal(await codeOf(() => openLmdb(dir, { ...options, create: false })), "store-missing");
  t.equal(await codeOf(() => openLmdb(dir, { ...options, readOnly: true })), "store-missing");
  mkdirSync(dir);
  t.equal(await codeOf(() => openLmdb(dir, { ...options, create: false })), "store-missing");
});

t.test("opened for reading: reads, refuses commits, holds the lock", async (t) => {
  const dir = t.testdir();
  await storeWith(dir, 10);
  const kv = openLmdb(dir, { ...options, readOnly: true });
  t.equal((await kv.get(Buffer.from("key0")))?.length, 10);
  t.equal(await codeOf(() => commit(kv, put("a", 1))), "store-readonly");
  t.equal(await codeOf(() => openLmdb(dir, options)), "store-locked");
  await kv.close();
});

t.test("a full map: refused, all there, and goes on with a greater one or with room inside", async (t) => {
  const dir = t.testdir();
  const kv = openLmdb(dir, { ...options, mapBytes: 4 * 1024 * 1024 });
  let rows = 0;
  const fill = async () => {
    for (; ; rows++) await commit(kv, put(`row${rows}`, 100_000));
  };
  t.equal(await codeOf(fill), "store-full");
  t.ok(rows > 20);
  t.equal(await codeOf(() => commit(kv, put("other", 100_000))), "store-full", "still full");
  t.equal((await kv.range(Buffer.from("row"), Buffer.from("rox"), { limitBytes: 2 ** 30 })).count, rows);
  await commit(kv, { kind: "delete", key: Buffer.from("row0") }, { kind: "delete", key: Buffer.from("row1") });
  await commit(kv, put("small", 10));
  await commit(kv, put("again", 100_000));
  await kv.close();
  const greater = openLmdb(dir, options);
  await commit(greater, put("other", 1_000_000));
  await greater.close();
});

/** Whether a process of another user can be run on these files: by root, in folders (such as not /root) that let everyone pass. */
function othersMayRun(): boolean {
  const passable = (folder: string): boolean =>
    (statSync(folder).mode & 0o001) !== 0 && (path.dirname(folder) === folder || passable(path.dirname(folder)));
  return process.getuid?.() === 0 && passable(import.meta.dirname) && passable(path.dirname(process.execPath));
}

/** Opens a damaged store in a process of its own, so that a crash would be seen; returns the error's code or the end of the process. */
function opening(tree: string, dir: string): string {
  const script = `import { openLmdb } from "${tree}/src/store/lmdb.js";
    try { const kv = openLmdb(${JSON.stringify(dir)}, ${JSON.stringify(options)});
      const rows = await kv.range(Buffer.alloc(0), Buffer.alloc(200, 0xff), { limitBytes: 2 ** 30 }); console.log("opened", rows.count); }
    catch (error) { console.log(error.code); }`;
  const { stdout, signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  return signal ?? (stdout.trim() || stderr);
}

t.test("damaged files", async (t) => {
  const root = t.testdir();
  const tree = plainTree(path.join(root, "tree"), ["src/native", "src/store"]);
  const sound = await storeWith(path.join(root, "sound"), ...Array.from({ length: 40 }, (_, i) => i * 1000));
  const size = statSync(sound).size;
  const damaged = (name: string, damage: (file: string) => void): string => {
    const dir = path.join(root, name);
    mkdirSync(dir);
    copyFileSync(sound, path.join(dir, "data.mdb"));
    damage(path.join(dir, "data.mdb"));
    return opening(tree, dir);
  };
  const zero = (file: string, at: number) => {
    const bytes = readFileSync(file);
    bytes.fill(0, at, at + pageBytes);
    writeFileSync(file, bytes);
  };
  t.equal(
    damaged("untouched", () => {}),
    "opened 40",
  );
  for (const left of [1, 100, pageBytes, 2 * pageBytes, 3 * pageBytes, Math.floor(size / 2), size - pageBytes]) {
    t.equal(
      damaged(`cut-${left}`, (file) => truncateSync(file, left)),
      "store-damaged",
      `cut to ${left} of ${size} bytes`,
    );
  }
  t.equal(
    damaged("empty", (file) => truncateSync(file, 0)),
    "store-damaged",
  );
  t.equal(
    damaged("text", (file) => writeFileSync(file, "no store ".repeat(2000))),
    "store-damaged",
  );
  t.equal(
    damaged("meta0", (file) => zero(file, 0)),
    "store-damaged",
  );
  t.equal(
    damaged("meta1", (file) => zero(file, pageBytes)),
    "store-damaged",
  );
});

t.test("a file that ends before its last page number, as LMDB leaves it, is sound", async (t) => {
  const dir = t.testdir();
  const kv = openLmdb(dir, options);
  // Earlier commits leave free pages, so that only the value that comes and goes lies at the end.
  for (let n = 0; n < 20; n++) await commit(kv, put("kept", 1000 + n));
  await commit(kv, put("kept", 5000), put("gone", 300_000), { kind: "delete", key: Buffer.from("gone") });
  const { fileBytes, lastPage } = await kv.stats();
  t.ok(Number(fileBytes) <= Number(lastPage) * pageBytes, `${fileBytes} bytes, last page ${lastPage}`);
  await kv.close();
  const again = openLmdb(dir, options);
  t.equal((await again.get(Buffer.from("kept")))?.length, 5000);
  await again.close();
});

/** Runs a script beside the sources; `prefix` may be a command that runs it in other circumstances. */
function run(tree: string, script: string, prefix: readonly string[] = [], identity: { uid?: number; gid?: number } = {}) {
  const text = `import { openLmdb } from "${tree}/src/store/lmdb.js"; const options = ${JSON.stringify(options)}; ${script}`;
  const [command = process.execPath, ...args] = [...prefix, process.execPath, "--input-type=module", "-e", text];
  return spawnSync(command, args, { encoding: "utf8", timeout: 120_000, ...identity });
}

function processes(t: Test): void {
  const root = t.testdir();
  const tree = plainTree(path.join(root, "tree"), ["src/native", "src/store"]);
  const dir = path.join(root, "store");
  const commitOne = `kv.commit([{ checks: [], writes: [{ kind: "put", key: Buffer.from("a"), value: [Buffer.from("1")] }] }])`;
  const open = `const kv = openLmdb(${JSON.stringify(dir)}, options);`;

  t.test("an idle store does not keep the process alive, a commit under way does", async (t) => {
    const result = run(tree, `${open} ${commitOne}.then((outcome) => console.log(outcome[0]));`);
    t.strictSame([result.stdout, result.status], ["committed\n", 0], result.stderr);
  });

  t.test("process.exit in the middle of commits ends the process", async (t) => {
    const result = run(tree, `${open} for (let i = 0; i < 200; i++) ${commitOne}; setImmediate(() => process.exit(7));`);
    t.strictSame([result.status, result.signal], [7, null], result.stderr);
  });

  t.test("a worker that is terminated in the middle of commits gives the store back", async (t) => {
    const body = `const { openLmdb } = await import("${tree}/src/store/lmdb.js"); const { parentPort } = await import("node:worker_threads");
      const kv = openLmdb(${JSON.stringify(dir)}, ${JSON.stringify(options)}); parentPort.postMessage(1); for (;;) await ${commitOne};`;
    const script = `import { Worker } from "node:worker_threads"; import { once } from "node:events";
      for (let i = 0; i < 10; i++) { const worker = new Worker(${JSON.stringify(`(async () => {${body}})()`)}, { eval: true });
        await once(worker, "message"); await worker.terminate(); }
      ${open} console.log((await kv.get(Buffer.from("a"))).toString());`;
    const result = run(tree, script);
    t.strictSame([result.stdout, result.status], ["1\n", 0], result.stderr);
  });

  const rootOnly = othersMayRun() ? {} : { skip: "needs root, and a clone that other users can reach" };
  t.test("a folder that may only be read: refused for writing, readable for reading", rootOnly, async (t) => {
    const nobody = 65534;
    const unwritable = path.join(root, "unwritable");
    await storeWith(unwritable, 10);
    for (const name of ["", ...readdirSync(unwritable)]) {
      chownSync(path.join(unwritable, name), nobody, nobody);
      chmodSync(path.join(unwritable, name), name === "" ? 0o500 : 0o400);
    }
    const where = JSON.stringify(unwritable);
    const script = `try { openLmdb(${where}, options); } catch (error) { console.log(error.code); }
      try { openLmdb(${where} + "/below", options); } catch (error) { console.log(error.code); }
      const kv = openLmdb(${where}, { ...options, readOnly: true }); console.log((await kv.get(Buffer.from("key0"))).length);`;
    const result = run(tree, script, [], { uid: nobody, gid: nobody });
    t.equal(result.stdout, "store-readonly\nstore-readonly\n10\n", result.stderr);
  });

  const plainMemory = process.env.ASAN_OPTIONS === undefined ? {} : { skip: "AddressSanitizer itself needs terabytes of address space" };
  t.test("little address space: a smaller map is taken", plainMemory, async (t) => {
    const result = run(tree, `${open} console.log((await kv.stats()).mapBytes < 2 ** 40, await ${commitOne});`, [
      "sh",
      "-c",
      'ulimit -v 40000000; exec "$@"',
      "sh",
    ]);
    t.equal(result.stdout, "true [ 'committed' ]\n", result.stderr);
  });
}

t.test("the process around a store", async (t) => processes(t));
