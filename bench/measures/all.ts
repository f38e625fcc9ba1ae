// Every measure, in the order in which they are taken and printed.
import type { Measure } from "../lib/measure.ts";
import { idleMemory } from "./idle.ts";
import { importMeasure } from "./import.ts";
import { streamCommit, streamPipeline } from "./stream-append.ts";
import { streamReplay100k, streamReplay500, streamReplaySingle } from "./stream-replay.ts";

export const measures: readonly Measure[] = [
  streamCommit,
  streamPipeline,
  streamReplay500,
  streamReplay100k,
  streamReplaySingle,
  importMeasure,
  idleMemory,
];
