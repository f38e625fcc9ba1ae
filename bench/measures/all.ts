// Every measure, in the order in which they are taken and printed.
import type { Measure } from "../lib/measure.ts";
import { idleMemory, ringIdle } from "./idle.ts";
import { importMeasure } from "./import.ts";
import { ringDigest, ringDrains, ringGains, ringRoundtrip, streamRoundtrip } from "./ring-append.ts";
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
  streamRoundtrip,
  ...ringGains,
  ...ringDrains,
  ringDigest,
  ...ringReplays,
  ringIdle,
  importMeasure,
  idleMemory,
];
