// Opening the journal store after kill -9: it has to depend on what was not yet in the base, and not on how many events there are.
import { interleave, type Measure } from "../lib/measure.ts";
import { figureOf } from "../lib/programs.ts";
import type { Workplace } from "../lib/workplace.ts";

const EVENT_BYTES = 100;
const EVENTS = { quick: 3_000_000, full: 10_000_000 };
const CONTROL_SHARE = 10;
/** Appended to each store before each opening, so that both have as much that is new. */
const NEW_EVENTS = 100_000;
const PAIRS = { quick: 5, full: 9 };

/** Appends so many events to the store in `dir` and kills the sidecar. */
async function appendAndKill(workplace: Workplace, dir: string, events: number): Promise<void> {
  await workplace.withSidecarOn(`journal:${dir}`, async (sidecar) => {
    await figureOf("client_append", "events_per_s", "ring", sidecar.socketPath, "~zod", events, EVENT_BYTES, "pipelined");
    await sidecar.kill();
  });
}

async function opening(workplace: Workplace, dir: string): Promise<number> {
  await appendAndKill(workplace, dir, NEW_EVENTS);
  return await figureOf("journal_engine", "open_ms", dir, "open");
}

export const journalOpen: Measure = {
  name: "journal.open",
  unit: "ms",
  subject: `opening the engine after kill -9, in a store of many events of ${EVENT_BYTES} B (bench/README.md says how many)`,
  controlledBy: "the same in a store with a tenth of the events",
  target: { of: "ratio", bound: "at most", limit: 2 },
  run: async (workplace) => {
    const events = Number(process.env.SEGURO_BENCH_OPEN_EVENTS ?? workplace.pick(EVENTS));
    const [large, small] = [workplace.path("large"), workplace.path("small")];
    await appendAndKill(workplace, large, events);
    await appendAndKill(workplace, small, events / CONTROL_SHARE);
    return await interleave(
      workplace.pick(PAIRS),
      () => opening(workplace, large),
      () => opening(workplace, small),
    );
  },
};
