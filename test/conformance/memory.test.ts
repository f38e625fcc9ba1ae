// The engine in memory keeps the promises of the interface.
import t from "tap";
import { MemoryKv } from "../../src/store/memory.ts";
import { conformance } from "./kv.ts";

conformance(t, "memory", async () => {
  const kv = new MemoryKv();
  return { kv, done: () => kv.close() };
});
