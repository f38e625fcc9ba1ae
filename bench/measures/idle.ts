// What idle ships cost: the growth of the sidecar's memory with many write sessions open, and its processor time over rings.
import { render } from "@urbit/aura";
import { interleave, type Measure } from "../lib/measure.ts";
import { startHolding } from "../lib/programs.ts";
import type { BenchSidecar } from "../lib/sidecar.ts";
import type { Workplace } from "../lib/workplace.ts";

const SHIPS = 200;
const RING_BYTES = 65_536;
const IDLE_MS = { quick: 5000, full: 20_000 };
const CPU_PAIRS = { quick: 1, full: 3 };
const EVENTS = 10;
const EVENT_BYTES = 500;
const PAIRS = { quick: 3, full: 5 };
const SETTLE_POLL_MS = 250;
const SETTLED_POLLS = 8;
const SETTLE_TOLERANCE_BYTES = 128 << 10;

/** Stars from ~marzod on: distinct names, cheap to make. */
export function ships(count: number): string[] {
  return Array.from({ length: count }, (_, index) => render("p", BigInt(256 + index)));
}

/** Resident memory once it has stood still for some polls. */
export async function settledRss(sidecar: BenchSidecar): Promise<number> {
  let last = sidecar.rssBytes;
  for (let still = 0; still < SETTLED_POLLS; ) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
    const now = sidecar.rssBytes;
    still = Math.abs(now - last) <= SETTLE_TOLERANCE_BYTES ? still + 1 : 0;
    last = now;
  }
  return last;
}

async function emptyKib(workplace: Workplace): Promise<number> {
  return await workplace.withSidecar("empty", async (sidecar) => (await settledRss(sidecar)) / 1024);
}

async function heldKib(workplace: Workplace): Promise<number> {
  return await workplace.withSidecar("held", async (sidecar) => {
    const holder = await startHolding("client_hold", "stream", sidecar.socketPath, EVENTS, EVENT_BYTES, ...ships(SHIPS));
    const kib = (await settledRss(sidecar)) / 1024;
    await holder.end();
    return kib;
  });
}

export const idleMemory: Measure = {
  name: "idle.memory",
  unit: "KiB",
  subject: `growth of the sidecar's resident memory a ship, with ${SHIPS} write sessions open that have each appended ${EVENTS} events`,
  controlledBy: `an empty sidecar's resident memory, spread over ${SHIPS} (so the ratio says little; the value is what counts)`,
  target: { of: "value", bound: "at most", limit: 64 },
  run: async (workplace) => {
    const pairs = await interleave(
      workplace.pick(PAIRS),
      () => heldKib(workplace),
      () => emptyKib(workplace),
    );
    return pairs.map(({ value, control }) => ({ value: (value - control) / SHIPS, control: control / SHIPS }));
  },
};

/** Percent of one processor while nobody does anything. */
async function idlePercent(workplace: Workplace, sidecar: BenchSidecar): Promise<number> {
  await settledRss(sidecar);
  const beganNs = sidecar.cpuNs;
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, workplace.pick(IDLE_MS)));
  return (sidecar.cpuNs - beganNs) / 1e4 / (performance.now() - began);
}

async function idleRingsPercent(workplace: Workplace): Promise<number> {
  return await workplace.withMemorySidecar({ args: ["--ring-size", `${RING_BYTES}`] }, async (sidecar) => {
    const holder = await startHolding("client_hold", "ring", sidecar.socketPath, EVENTS, EVENT_BYTES, ...ships(SHIPS));
    const percent = await idlePercent(workplace, sidecar);
    await holder.end();
    return percent;
  });
}

export const ringIdle: Measure = {
  name: "ring.idle",
  unit: "% of a core",
  subject: `processor time of a sidecar with ${SHIPS} open, silent write sessions over rings`,
  controlledBy: "an empty sidecar's (so the ratio says little; the value is what counts)",
  target: { of: "value", bound: "at most", limit: 1 },
  run: (workplace) =>
    interleave(
      workplace.pick(CPU_PAIRS),
      () => idleRingsPercent(workplace),
      () => workplace.withMemorySidecar({}, (sidecar) => idlePercent(workplace, sidecar)),
    ),
};
