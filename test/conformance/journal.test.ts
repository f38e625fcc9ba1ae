// The engine above the commit log keeps the promises of the interface, and those of an engine that outlives its process.
import t from "tap";
import { type JournalOptions, openJournal } from "../../src/store/journal.ts";
import { durability } from "./durable.ts";
import { conformance } from "./kv.ts";

// Segments that are quickly made, and still hold the greatest value.
const options: JournalOptions = { startedAt: "2026-01-01T00:00:00Z", segmentBytes: 16 * 1024 * 1024 };

conformance(t, "journal", async () => {
  const kv = openJournal(t.testdir(), options);
  return { kv, done: () => kv.close() };
});
// So small that nearly every commit begins a new overlay, and the base is written all the time.
conformance(t, "journal, small overlays", async () => {
  const kv = openJournal(t.testdir(), { ...options, overlayBytes: 4096 });
  return { kv, done: () => kv.close() };
});
durability(t, "journal", async (dir) => openJournal(dir, options));
