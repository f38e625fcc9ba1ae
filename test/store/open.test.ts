// Store URLs: what is understood, and what the errors say to do.
import path from "node:path";
import t from "tap";
import { StoreError } from "../../src/store/errors.ts";
import { openKv, parseStoreUrl } from "../../src/store/open.ts";

const options = { startedAt: "2026-01-01T00:00:00Z" };

t.strictSame(parseStoreUrl("memory:"), { engine: "memory" });
t.strictSame(parseStoreUrl("memory"), { engine: "memory" });
t.strictSame(parseStoreUrl("lmdb:/a/b:c"), { engine: "lmdb", dir: "/a/b:c" });
t.strictSame(parseStoreUrl("foundationdb:/etc/fdb.cluster"), { engine: "foundationdb", rest: "/etc/fdb.cluster" });
for (const url of ["", "lmdb", "lmdb:", "memory:x", "postgres://h", "/a/folder", "LMDB:/a"]) {
  t.throws(() => parseStoreUrl(url), { name: "StoreError", code: "store-missing", hint: /lmdb:DIR/ }, url);
}

t.test("opens engines by URL", async (t) => {
  const memory = await openKv("memory:", options);
  t.equal(memory.name, "memory");
  await memory.close();
  const dir = path.join(t.testdir(), "store");
  const lmdb = await openKv(`lmdb:${dir}`, options);
  t.equal(lmdb.name, `lmdb:${dir}`);
  await lmdb.close();
});

t.test("foundationdb says what to install, or that there is no engine yet", async (t) => {
  const error: unknown = await openKv("foundationdb:", options).catch((reason: unknown) => reason);
  t.ok(error instanceof StoreError && error.code === "store-missing");
  t.match(
    `${error instanceof StoreError ? error.hint + error.message : ""}`,
    /client library.*then run `npm install`|no foundationdb engine yet/,
  );
});
