// Commits as a ship in use makes them, through the ring into the journal store, against C LMDB in the client's own process.
import path from "node:path";
import { interleave, type Measure } from "../lib/measure.ts";
import { figureOf, repository } from "../lib/programs.ts";

const PAIRS = { quick: 15, full: 31 };
const COMMITS = { quick: 1000, full: 3000 };
const MANIFEST = path.join(repository, "test/fixtures/pier-small.manifest.tsv");

export const journalMix: Measure = {
  name: "journal.mix",
  unit: "events/s",
  subject:
    "commits of 1 event (72 %) or more (mean 1.53), sizes as in the fixtures, over the ring and durable on the journal store, one at a time",
  controlledBy: "C, LMDB in the same process, the same commits, one put an event",
  target: { of: "ratio", bound: "at least", limit: 1.5 },
  run: (workplace) =>
    workplace.withSidecar(
      "store",
      ({ socketPath }) => {
        const control = workplace.folder("lmdb-control");
        const commits = workplace.pick(COMMITS);
        return interleave(
          workplace.pick(PAIRS),
          () => figureOf("client_append", "events_per_s", "ring", socketPath, "~zod", commits, MANIFEST, "mix"),
          () => figureOf("lmdb_control", "events_per_s", control, commits, "mix", MANIFEST),
        );
      },
      "journal",
    ),
};
