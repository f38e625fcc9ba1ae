// Every measure, in the order in which they are taken and printed.
import type { Measure } from "../lib/measure.ts";
import { fdbMeasures } from "./fdb.ts";
import { fdbShipMeasures } from "./fdb-ships.ts";
import { idleMemory, ringIdle } from "./idle.ts";
import { importMeasure } from "./import.ts";
import { journalMeasures } from "./journal.ts";
import { journalMix } from "./journal-mix.ts";
import { journalOpen } from "./journal-open.ts";
import { ringCopies, ringDigest, ringDrains, ringGains, ringRoundtrip, ringSpin, streamRoundtrip } from "./ring-append.ts";
import { ringDurables } from "./ring-durable.ts";
import { ringReplays } from "./ring-replay.ts";
import { streamCommit, streamPipeline } from "./stream-append.ts";
import { streamReplay100k, streamReplay500, streamReplaySingle } from "./stream-replay.ts";

export const measures: readonly Measure[] = [
  streamCommit,
  streamPipeline,
  streamReplay500,
  streamReplay100k,
  streamReplaySingle,
  ringRoundtrip,
  ringSpin,
  streamRoundtrip,
  ...ringGains,
  ...ringDrains,
  ...ringCopies,
  ringDigest,
  ...ringDurables,
  ...ringReplays,
  ringIdle,
  ...journalMeasures,
  journalMix,
  journalOpen,
  importMeasure,
  idleMemory,
  ...fdbMeasures,
  ...fdbShipMeasures,
];
