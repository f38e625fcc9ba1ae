// The journal store: one flush a commit, through the ring and by itself, against plain C on the same disk.
import { interleave, type Measure, type Pair } from "../lib/measure.ts";
import { figureOf } from "../lib/programs.ts";
import type { BenchSidecar } from "../lib/sidecar.ts";
import type { Size, Workplace } from "../lib/workplace.ts";
import { ships } from "./idle.ts";

const EVENT_BYTES = 500;
const CONTROL_BATCH_EVENTS = 100;
const PAIRS = { quick: 15, full: 31 };
/** Short turns: what else the disk does falls on both halves of a pair. */
const COMMITS = { quick: 400, full: 1000 };
const PIPELINED_PAIRS = { quick: 7, full: 15 };
const PIPELINED_EVENTS = { quick: 200_000, full: 500_000 };
const HUGE_BYTES = 1_000_000;
const HUGE_EVENTS = { quick: 100, full: 300 };
const GROUP_SHIPS = 100;
const GROUP_EVENTS = { quick: 40, full: 100 };
const GROUP_PAIRS = { quick: 5, full: 11 };
const REPLAY_PAIRS = { quick: 5, full: 15 };
const REPLAY_CONTROL_BATCHES = 10;
const TRANSPORT = "ring";
const SHIP = "~zod";

const withJournal = (workplace: Workplace, pairs: (sidecar: BenchSidecar) => Promise<Pair[]>): Promise<Pair[]> =>
  workplace.withSidecar("store", pairs, "journal");

/** What the engine program says after so many commits of one event. */
const engineFigure = (workplace: Workplace, folder: string, figure: string): Promise<number> =>
  figureOf("journal_engine", figure, folder, workplace.pick(COMMITS), EVENT_BYTES);

const flushes: Measure = {
  name: "journal.flushes",
  unit: "flushes",
  subject: "durable writes for one commit of one 500 B event, engine alone, making of segments not counted",
  controlledBy: "the one flush that it cannot do without",
  target: { of: "value", bound: "at most", limit: 1 },
  run: async (workplace) => {
    const folder = workplace.path("journal");
    return await interleave(
      1,
      () => engineFigure(workplace, folder, "flushes_per_commit"),
      async () => 1,
    );
  },
};

const engine: Measure = {
  name: "journal.engine",
  unit: "commits/s",
  subject: "engine alone in a C++ program, one 500 B event a commit",
  controlledBy: "floor: pwritev and fdatasync of 500 B into a prewritten file",
  target: { of: "ratio", bound: "at least", limit: 0.85 },
  run: async (workplace) => {
    const folder = workplace.path("journal");
    const file = workplace.path("floor");
    return await interleave(
      workplace.pick(PAIRS),
      () => engineFigure(workplace, folder, "events_per_s"),
      () => figureOf("floor_control", "events_per_s", file, workplace.pick(COMMITS), EVENT_BYTES),
    );
  },
};

const commit: Measure = {
  name: "journal.commit",
  unit: "us",
  subject: "append of one 500 B event over the ring and its acknowledgement, durable on the journal store, one at a time, p50",
  controlledBy: "C, LMDB in the same process, one put of 500 B and one commit, p50",
  target: { of: "ratio", bound: "at most", limit: 0.8 },
  run: (workplace) =>
    withJournal(workplace, ({ socketPath }) => {
      const control = workplace.folder("lmdb-control");
      const count = workplace.pick(COMMITS);
      return interleave(
        workplace.pick(PAIRS),
        () => figureOf("client_append", "p50_us", TRANSPORT, socketPath, SHIP, count, EVENT_BYTES, "single"),
        () => figureOf("lmdb_control", "p50_us", control, count, 1, EVENT_BYTES),
      );
    }),
};

const pipeline: Measure = {
  name: "journal.pipeline",
  unit: "events/s",
  subject: "pipelined appends of 500 B events over the ring until all are durable on the journal store",
  controlledBy: "floor: pwritev and fdatasync of 100 events of 500 B into a prewritten file",
  target: { of: "ratio", bound: "at least", limit: 0.6 },
  run: (workplace) =>
    withJournal(workplace, ({ socketPath }) => {
      const file = workplace.path("floor");
      const events = workplace.pick(PIPELINED_EVENTS);
      return interleave(
        workplace.pick(PIPELINED_PAIRS),
        () => figureOf("client_append", "events_per_s", TRANSPORT, socketPath, SHIP, events, EVENT_BYTES, "pipelined"),
        async () => {
          const batches = events / CONTROL_BATCH_EVENTS;
          return (
            CONTROL_BATCH_EVENTS * (await figureOf("floor_control", "events_per_s", file, batches, CONTROL_BATCH_EVENTS * EVENT_BYTES))
          );
        },
      );
    }),
};

const huge: Measure = {
  name: "journal.1m",
  unit: "events/s",
  subject: "pipelined appends of 1 MB events over the ring until all are durable on the journal store",
  controlledBy: "floor: pwritev and fdatasync of 1 MB into a prewritten file",
  target: { of: "ratio", bound: "at least", limit: 0.5 },
  run: (workplace) =>
    withJournal(workplace, ({ socketPath }) => {
      const file = workplace.path("floor");
      const events = workplace.pick(HUGE_EVENTS);
      return interleave(
        workplace.pick(PIPELINED_PAIRS),
        () => figureOf("client_append", "events_per_s", TRANSPORT, socketPath, SHIP, events, HUGE_BYTES, "pipelined"),
        () => figureOf("floor_control", "events_per_s", file, events, HUGE_BYTES),
      );
    }),
};

const group: Measure = {
  name: "journal.group",
  unit: "events/s",
  subject: `${GROUP_SHIPS} ships on one sidecar, each appending 500 B events one at a time, on the journal store: all together`,
  controlledBy: "one ship alone on the same sidecar",
  target: { of: "ratio", bound: "at least", limit: 8 },
  run: (workplace) =>
    withJournal(workplace, ({ socketPath }) => {
      const each = workplace.pick(GROUP_EVENTS);
      const rate = (count: number, events: number) =>
        figureOf("client_ships", "events_per_s", TRANSPORT, socketPath, events, EVENT_BYTES, "single", ...ships(count));
      return interleave(
        workplace.pick(GROUP_PAIRS),
        () => rate(GROUP_SHIPS, each),
        () => rate(1, 10 * each),
      );
    }),
};

function replay(name: string, title: string, eventBytes: number, events: Size): Measure {
  return {
    name: `journal.replay.${name}`,
    unit: "MB/s",
    subject: `replay of ${title} events over the ring through libseguro's iterator, journal store, from the page cache, every record checked`,
    controlledBy: "C: an LMDB walk copied into a C-to-C ring, copied out, CRC32C on the copy",
    target: { of: "ratio", bound: "at least", limit: 0.8 },
    run: async (workplace) => {
      const count = workplace.pick(events);
      const control = workplace.folder("lmdb-control");
      await figureOf("lmdb_control", "events_per_s", control, REPLAY_CONTROL_BATCHES, count / REPLAY_CONTROL_BATCHES, eventBytes);
      return await withJournal(workplace, async ({ socketPath }) => {
        await figureOf("client_append", "events_per_s", TRANSPORT, socketPath, SHIP, count, eventBytes, "pipelined");
        const subject = async () => (await figureOf("client_replay", "bytes_per_s", TRANSPORT, socketPath, SHIP)) / 1e6;
        const walk = async () => (await figureOf("ring_control", "bytes_per_s", "walk", count, eventBytes, control)) / 1e6;
        // Once unmeasured: what was just written is then in the page cache for certain.
        await subject();
        await walk();
        return await interleave(workplace.pick(REPLAY_PAIRS), subject, walk);
      });
    },
  };
}

export const journalMeasures: readonly Measure[] = [
  flushes,
  engine,
  commit,
  pipeline,
  huge,
  group,
  replay("500", "500 B", EVENT_BYTES, { quick: 400_000, full: 1_000_000 }),
  replay("100k", "100 kB", 100_000, { quick: 2000, full: 10_000 }),
];
