// Store URLs: what is understood, and what the errors say to do.
import path from "node:path";
import t from "tap";
import { systemTime } from "../../src/operate/clock.ts";
import { StoreError } from "../../src/store/errors.ts";
import { storeName } from "../../src/store/name.ts";
import { openKv, parseStoreUrl } from "../../src/store/open.ts";

const options = { startedAt: "2026-01-01T00:00:00Z", time: systemTime };

t.strictSame(parseStoreUrl("memory:"), { engine: "memory" });
t.strictSame(parseStoreUrl("memory"), { engine: "memory" });
t.strictSame(parseStoreUrl("lmdb:/a/b:c"), { engine: "lmdb", dir: "/a/b:c" });
t.strictSame(parseStoreUrl("journal:/a/b:c"), { engine: "journal", dir: "/a/b:c" });
const prefix = (text: string) => Buffer.from(text, "latin1");
t.strictSame(parseStoreUrl("foundationdb:"), { engine: "foundationdb", clusterFile: null, prefix: prefix("seguro/") });
t.strictSame(parseStoreUrl("foundationdb:/etc/fdb.cluster"), {
  engine: "foundationdb",
  clusterFile: "/etc/fdb.cluster",
  prefix: prefix("seguro/"),
});
t.strictSame(parseStoreUrl("foundationdb:?prefix=east/%00%FF"), {
  engine: "foundationdb",
  clusterFile: null,
  prefix: prefix("east/\0\xff"),
});
t.strictSame(parseStoreUrl("foundationdb:f?prefix="), { engine: "foundationdb", clusterFile: "f", prefix: prefix("") });
for (const rest of ["?prefix=a b", "?prefix=%f", "?prefix=%ff%02", `?prefix=${"x".repeat(201)}`, "?other=1"]) {
  t.throws(() => parseStoreUrl(`foundationdb:${rest}`), { name: "StoreError", code: "store-missing", hint: /PREFIX/ }, rest);
}
for (const url of ["", "lmdb", "lmdb:", "journal:", "memory:x", "postgres://h", "/a/folder", "LMDB:/a"]) {
  t.throws(() => parseStoreUrl(url), { name: "StoreError", code: "store-missing", hint: /lmdb:DIR/ }, url);
}

t.test("one name for a store, however its URL is written", async (t) => {
  const here = process.cwd();
  const named: Record<string, readonly string[]> = {
    memory: ["memory", "memory:"],
    "lmdb:/a/b": ["lmdb:/a/b", "lmdb:/a/b/", "lmdb:/a//b/.", "lmdb:/a/c/../b", `lmdb:${path.relative(here, "/a/b")}`],
    [`journal:${here}/b`]: ["journal:b", "journal:./b/", `journal:${here}/b`],
    "foundationdb:/etc/foundationdb/fdb.cluster": ["foundationdb:", "foundationdb:?prefix=seguro/", "foundationdb:?prefix=%73eguro%2f"],
    "foundationdb:/e/f?prefix=east/": ["foundationdb:/e/f?prefix=east/", "foundationdb:/e/./f?prefix=east%2F"],
    "foundationdb:/e/f?prefix=%00": ["foundationdb:/e/f?prefix=%00"],
    "foundationdb:/e/f?prefix=": ["foundationdb:/e/f?prefix="],
  };
  for (const [name, urls] of Object.entries(named)) {
    for (const url of urls) t.equal(storeName(url), name, url);
    t.equal(storeName(name), name, "a name is its own URL");
  }
  t.equal(storeName("foundationdb:", "/env/f"), "foundationdb:/env/f");
  t.equal(storeName("foundationdb:", ""), "foundationdb:/etc/foundationdb/fdb.cluster", "an empty variable is none");
  t.throws(() => storeName("lmdb:"), { code: "store-missing" });
});

t.test("opens engines by URL", async (t) => {
  const memory = await openKv("memory:", options);
  t.equal(memory.name, "memory");
  await memory.close();
  for (const engine of ["lmdb", "journal"]) {
    const url = `${engine}:${path.join(t.testdir(), engine)}`;
    const kv = await openKv(url, options);
    t.equal(kv.name, url);
    t.equal(kv.name, storeName(`${url}/`));
    await kv.close();
  }
});

t.test("a cluster file that is not there is said at once", async (t) => {
  const missing = path.join(t.testdir(), "fdb.cluster");
  for (const [url, clusterFile] of [
    [`foundationdb:${missing}`, undefined],
    ["foundationdb:", missing],
  ] as const) {
    const error: unknown = await openKv(url, { ...options, clusterFile }).catch((reason: unknown) => reason);
    t.ok(error instanceof StoreError && error.code === "store-missing" && error.message.includes(missing), String(error));
    t.match(error instanceof StoreError ? error.hint : "", /FDB_CLUSTER_FILE/);
  }
});
