// Durable appends over the stream through libseguro, against plain C LMDB on the same disk.
import { interleave, type Measure, type Pair } from "../lib/measure.ts";
import { figureOf } from "../lib/programs.ts";
import type { Workplace } from "../lib/workplace.ts";

const EVENT_BYTES = 500;
const CONTROL_BATCH_EVENTS = 100;

const PAIRS = { quick: 15, full: 31 };
/** Short turns: what else the disk does falls on both halves of a pair. */
const COMMITS = { quick: 400, full: 1000 };
const PIPELINED_PAIRS = { quick: 7, full: 15 };
const PIPELINED_EVENTS = { quick: 200_000, full: 500_000 };

/** A ship for each measure: they do not share a log. */
const COMMIT_SHIP = "~zod";
const PIPELINE_SHIP = "~nec";

async function commits(workplace: Workplace): Promise<Pair[]> {
  const count = workplace.pick(COMMITS);
  const control = workplace.folder("lmdb-control");
  return await workplace.withSidecar("store", (sidecar) =>
    interleave(
      workplace.pick(PAIRS),
      () => figureOf("client_append", "p50_us", "stream", sidecar.socketPath, COMMIT_SHIP, count, EVENT_BYTES, "single"),
      () => figureOf("lmdb_control", "p50_us", control, count, 1, EVENT_BYTES),
    ),
  );
}

async function pipelined(workplace: Workplace): Promise<Pair[]> {
  const events = workplace.pick(PIPELINED_EVENTS);
  const control = workplace.folder("lmdb-control");
  return await workplace.withSidecar("store", (sidecar) =>
    interleave(
      workplace.pick(PIPELINED_PAIRS),
      () => figureOf("client_append", "events_per_s", "stream", sidecar.socketPath, PIPELINE_SHIP, events, EVENT_BYTES, "pipelined"),
      () => figureOf("lmdb_control", "events_per_s", control, events / CONTROL_BATCH_EVENTS, CONTROL_BATCH_EVENTS, EVENT_BYTES),
    ),
  );
}

export const streamCommit: Measure = {
  name: "stream.commit",
  unit: "us",
  subject: "append of one 500 B event and its acknowledgement, durable on the LMDB store, one at a time, p50",
  controlledBy: "C, LMDB, one put of 500 B and one commit, p50",
  target: { of: "ratio", bound: "at most", limit: 2 },
  run: commits,
};

export const streamPipeline: Measure = {
  name: "stream.pipeline",
  unit: "events/s",
  subject: "pipelined appends of 500 B events until all are durable on the LMDB store",
  controlledBy: "C, LMDB, a commit for each 100 events of 500 B",
  target: { of: "ratio", bound: "at least", limit: 0.4 },
  run: pipelined,
};
