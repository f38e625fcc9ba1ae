// The FoundationDB store with many ships on one sidecar: how throughput grows, and what memory it takes.
import { interleave, type Measure } from "../lib/measure.ts";
import { figureOf, startHolding } from "../lib/programs.ts";
import type { Size, Workplace } from "../lib/workplace.ts";
import { skipReason, TRANSPORT } from "./fdb-common.ts";
import { settledRss, ships } from "./idle.ts";

const EVENT_BYTES = 500;
const PAIRS = { quick: 3, full: 7 };
const HELD_SHIPS = 100;
const HELD_EVENTS = 10;
const LOADED_SHIPS = 10;
const LOADED_EVENTS = { quick: 20_000, full: 60_000 };

/** Each ship waits for one acknowledgement after the other, as a runtime mostly does. */
function growth(count: number, events: Size): Measure {
  return {
    name: `fdb.ships.${count}`,
    unit: "events/s",
    subject: `${count} ships on one sidecar, each appending 500 B events one at a time, on the FoundationDB store: all together`,
    controlledBy: `C on libfdb_c, same cluster: one key an event, ${count} transactions of one in flight`,
    target: null,
    skip: skipReason,
    run: async (workplace) => {
      const each = workplace.pick(events);
      return await workplace.withClusterSidecar(({ socketPath }, cluster) =>
        interleave(
          workplace.pick(PAIRS),
          () => figureOf("client_ships", "events_per_s", TRANSPORT, socketPath, each, EVENT_BYTES, "single", ...ships(count)),
          () =>
            figureOf("fdb_control", "events_per_s", cluster.clusterFile, cluster.prefix(), "append", each * count, 1, EVENT_BYTES, count),
        ),
      );
    },
  };
}

async function emptyKib(workplace: Workplace): Promise<number> {
  return await workplace.withClusterSidecar(async (sidecar) => (await settledRss(sidecar)) / 1024);
}

async function heldKib(workplace: Workplace): Promise<number> {
  return await workplace.withClusterSidecar(async (sidecar) => {
    const holder = await startHolding("client_hold", TRANSPORT, sidecar.socketPath, HELD_EVENTS, EVENT_BYTES, ...ships(HELD_SHIPS));
    const kib = (await settledRss(sidecar)) / 1024;
    await holder.end();
    return kib;
  });
}

async function loadedKib(workplace: Workplace): Promise<number> {
  return await workplace.withClusterSidecar(async (sidecar) => {
    const events = workplace.pick(LOADED_EVENTS);
    await figureOf("client_ships", "events_per_s", TRANSPORT, sidecar.socketPath, events, EVENT_BYTES, "pipelined", ...ships(LOADED_SHIPS));
    return sidecar.rssPeakBytes / 1024;
  });
}

const idleMemory: Measure = {
  name: "fdb.memory.idle",
  unit: "KiB",
  subject: `growth of the sidecar's resident memory a ship on the FoundationDB store, with ${HELD_SHIPS} write sessions open`,
  controlledBy: `an empty sidecar's resident memory, spread over ${HELD_SHIPS} (so the ratio says little; the value is what counts)`,
  target: null,
  skip: skipReason,
  run: async (workplace) => {
    const pairs = await interleave(
      workplace.pick(PAIRS),
      () => heldKib(workplace),
      () => emptyKib(workplace),
    );
    return pairs.map(({ value, control }) => ({ value: (value - control) / HELD_SHIPS, control: control / HELD_SHIPS }));
  },
};

const loadedMemory: Measure = {
  name: "fdb.memory.peak",
  unit: "KiB",
  subject: `greatest resident memory of the sidecar while ${LOADED_SHIPS} ships pipeline 500 B events into the FoundationDB store`,
  controlledBy: "an empty sidecar's resident memory",
  target: null,
  skip: skipReason,
  run: (workplace) =>
    interleave(
      workplace.pick(PAIRS),
      () => loadedKib(workplace),
      () => emptyKib(workplace),
    ),
};

export const fdbShipMeasures: readonly Measure[] = [
  growth(1, { quick: 500, full: 2000 }),
  growth(10, { quick: 300, full: 1000 }),
  growth(100, { quick: 100, full: 300 }),
  idleMemory,
  loadedMemory,
];
