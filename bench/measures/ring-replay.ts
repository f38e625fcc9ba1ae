// Replay over shared memory from the page cache, against an LMDB walk in C copied into a C-to-C ring.
import { interleave, type Measure } from "../lib/measure.ts";
import { figureOf } from "../lib/programs.ts";
import type { Size } from "../lib/workplace.ts";

const PAIRS = { quick: 5, full: 15 };
const SHIP = "~zod";
/** Of the control's environment: large commits, so that it is written quickly. */
const CONTROL_BATCHES = 10;

interface Shape {
  readonly name: string;
  readonly title: string;
  readonly events: Size;
  readonly eventBytes: number;
  readonly limit: number;
}

function replay({ name, title, events, eventBytes, limit }: Shape): Measure {
  return {
    name: `ring.replay.${name}`,
    unit: "MB/s",
    subject: `replay of ${title} events over the ring through libseguro's iterator, LMDB store, from the page cache, every record checked`,
    controlledBy: "C: an LMDB walk copied into a C-to-C ring, copied out, CRC32C on the copy",
    target: { of: "ratio", bound: "at least", limit },
    run: async (workplace) => {
      const count = workplace.pick(events);
      const control = workplace.folder("lmdb-control");
      await figureOf("lmdb_control", "events_per_s", control, CONTROL_BATCHES, count / CONTROL_BATCHES, eventBytes);
      return await workplace.withSidecar("store", async ({ socketPath }) => {
        await figureOf("client_append", "events_per_s", "ring", socketPath, SHIP, count, eventBytes, "pipelined");
        const subject = async () => (await figureOf("client_replay", "bytes_per_s", "ring", socketPath, SHIP)) / 1e6;
        const walk = async () => (await figureOf("ring_control", "bytes_per_s", "walk", count, eventBytes, control)) / 1e6;
        // Once unmeasured: what was just written is then in the page cache for certain.
        await subject();
        await walk();
        return await interleave(workplace.pick(PAIRS), subject, walk);
      });
    },
  };
}

export const ringReplays: readonly Measure[] = [
  replay({ name: "500", title: "500 B", events: { quick: 400_000, full: 1_000_000 }, eventBytes: 500, limit: 0.4 }),
  replay({ name: "10k", title: "10 kB", events: { quick: 20_000, full: 80_000 }, eventBytes: 10_000, limit: 0.5 }),
  replay({ name: "100k", title: "100 kB", events: { quick: 2000, full: 10_000 }, eventBytes: 100_000, limit: 0.5 }),
];
