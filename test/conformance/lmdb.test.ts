// The embedded engine keeps the promises of the interface, and those of an engine that outlives its process.
import t from "tap";
import { openLmdb } from "../../src/store/lmdb.ts";
import { durability } from "./durable.ts";
import { conformance } from "./kv.ts";

const open = (dir: string) => openLmdb(dir, { startedAt: "2026-01-01T00:00:00Z" });

conformance(t, "lmdb", async () => {
  const kv = open(t.testdir());
  return { kv, done: () => kv.close() };
});
durability(t, "lmdb", async (dir) => open(dir));
