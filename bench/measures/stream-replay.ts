// Replay over the stream from the page cache, every record checked, against a raw socket between two C processes.
import { interleave, type Measure, type Target } from "../lib/measure.ts";
import { figureOf } from "../lib/programs.ts";
import type { Size } from "../lib/workplace.ts";

const PAIRS = { quick: 9, full: 25 };
const SHIP = "~zod";

interface Shape {
  readonly name: string;
  readonly title: string;
  readonly events: Size;
  readonly eventBytes: number;
  /** How the log was written: one event a commit makes one block an event. */
  readonly written: "pipelined" | "single";
  readonly target: Target | null;
}

function replay({ name, title, events, eventBytes, written, target }: Shape): Measure {
  return {
    name,
    unit: "events/s",
    subject: `replay of ${title} through libseguro's iterator, from the page cache, every record checked`,
    controlledBy: `C to C over a Unix stream socket, messages of ${eventBytes} B in large writes and reads, unchecked`,
    target,
    run: async (workplace) => {
      const count = workplace.pick(events);
      return await workplace.withSidecar("store", async ({ socketPath }) => {
        await figureOf("client_append", "events_per_s", "stream", socketPath, SHIP, count, eventBytes, written);
        // Once unmeasured: what was just written is then in the page cache for certain.
        await figureOf("client_replay", "events_per_s", "stream", socketPath, SHIP);
        return await interleave(
          workplace.pick(PAIRS),
          () => figureOf("client_replay", "events_per_s", "stream", socketPath, SHIP),
          () => figureOf("socket_control", "events_per_s", count, eventBytes),
        );
      });
    },
  };
}

export const streamReplay500 = replay({
  name: "stream.replay.500",
  title: "500 B events",
  events: { quick: 500_000, full: 1_000_000 },
  eventBytes: 500,
  written: "pipelined",
  target: { of: "ratio", bound: "at least", limit: 0.1 },
});

export const streamReplay100k = replay({
  name: "stream.replay.100k",
  title: "100 kB events",
  events: { quick: 4000, full: 10_000 },
  eventBytes: 100_000,
  written: "pipelined",
  target: { of: "ratio", bound: "at least", limit: 0.3 },
});

export const streamReplaySingle = replay({
  name: "stream.replay.single",
  title: "500 B events that were committed one by one, a block each",
  events: { quick: 10_000, full: 50_000 },
  eventBytes: 500,
  written: "single",
  target: null,
});
