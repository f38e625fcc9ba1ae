// Appends over shared memory: latency, gain over the stream, and how fast a ring is drained into checked runs.
import { createHash, randomBytes } from "node:crypto";
import { interleave, type Measure, type Pair, type Target } from "../lib/measure.ts";
import { placement } from "../lib/placement.ts";
import { figureOf, placedFigureOf } from "../lib/programs.ts";
import type { SidecarSettings } from "../lib/sidecar.ts";
import type { Size, Workplace } from "../lib/workplace.ts";

const PAIRS = { quick: 5, full: 15 };
const LATENCY_PAIRS = { quick: 7, full: 25 };
const ROUNDS = { quick: 3000, full: 10_000 };
const EVENT_BYTES = 500;
/** An acknowledgement, with its digest. */
const ACKNOWLEDGEMENT_BYTES = 64;
const SHIP = "~zod";
/** Of one run: a store in memory only grows. */
const RUN_BYTES = { quick: 256 << 20, full: 768 << 20 };
/** Events of 100 B would take long otherwise. */
const EVENTS_MAX = { quick: 1_000_000, full: 4_000_000 };
/** Appended unmeasured to a fresh sidecar: its first calls are slow until its code is compiled. */
const WARM_BYTES = 64 << 20;
/** More calls than these compile nothing more. */
const WARM_EVENTS_MAX = 150_000;
const WARM_SHIP = "~nec";
const SHA_CHUNK_BYTES = 1 << 20;

type Transport = "stream" | "ring";

interface Case {
  readonly name: string;
  readonly title: string;
  readonly eventBytes: number;
  /** Null for what is only watched. */
  readonly limit: number | null;
}

function atLeast(limit: number | null): Target | null {
  return limit === null ? null : { of: "ratio", bound: "at least", limit };
}

function eventsOf(workplace: Workplace, eventBytes: number): number {
  return Math.min(workplace.pick(EVENTS_MAX), Math.floor(workplace.pick(RUN_BYTES) / eventBytes));
}

/** MB/s of events appended without waiting, until the last is acknowledged. */
async function appendMbPerSecond(
  socketPath: string,
  ship: string,
  transport: Transport,
  events: number,
  eventBytes: number,
): Promise<number> {
  return (await figureOf("client_append", "bytes_per_s", transport, socketPath, ship, events, eventBytes, "pipelined")) / 1e6;
}

/** The same on a warm sidecar of its own: a store in memory that has grown would weigh on the runs behind it. */
async function freshMbPerSecond(
  workplace: Workplace,
  transport: Transport,
  eventBytes: number,
  settings: SidecarSettings,
): Promise<number> {
  return await workplace.withMemorySidecar(settings, async ({ socketPath }) => {
    const warming = Math.min(WARM_EVENTS_MAX, Math.floor(WARM_BYTES / eventBytes));
    await appendMbPerSecond(socketPath, WARM_SHIP, transport, warming, eventBytes);
    return await appendMbPerSecond(socketPath, SHIP, transport, eventsOf(workplace, eventBytes), eventBytes);
  });
}

function gain({ name, title, eventBytes, limit }: Case): Measure {
  return {
    name: `ring.gain.${name}`,
    unit: "MB/s",
    subject: `pipelined appends of ${title} events over the ring into the memory store, without digests`,
    controlledBy: "the same over our own stream",
    target: atLeast(limit),
    run: (workplace) =>
      interleave(
        workplace.pick(PAIRS),
        () => freshMbPerSecond(workplace, "ring", eventBytes, { without: "no-digests" }),
        () => freshMbPerSecond(workplace, "stream", eventBytes, { without: "no-digests" }),
      ),
  };
}

/** What a drain and the plain copy have in common: pairs with one of ring_control's transfers of as many messages. */
function drained(eventBytes: number, control: "transfer" | "copy"): (workplace: Workplace) => Promise<Pair[]> {
  return (workplace) =>
    workplace.withMemorySidecar({ without: "no-digests,discard" }, async ({ socketPath }) => {
      const events = eventsOf(workplace, eventBytes);
      // What is thrown away leaves an empty log behind: every run begins it anew. The first one is not measured.
      const subject = () => appendMbPerSecond(socketPath, SHIP, "ring", events, eventBytes);
      await subject();
      return await interleave(
        workplace.pick(PAIRS),
        subject,
        async () => (await figureOf("ring_control", "bytes_per_s", control, events, eventBytes)) / 1e6,
      );
    });
}

function drain({ name, title, eventBytes, limit }: Case): Measure {
  return {
    name: `ring.drain.${name}`,
    unit: "MB/s",
    subject: `${title} events from libseguro over the ring to packed, checked runs in the sidecar, which throws them away (no digests)`,
    controlledBy: "C to C over a ring of the same size, copied out, CRC32C on the copy",
    target: atLeast(limit),
    run: drained(eventBytes, "transfer"),
  };
}

/** A drain copies twice and checks once, on two processors: how far that is from copying once. */
function copy({ name, title, eventBytes }: Case): Measure {
  return {
    name: `ring.copy.${name}`,
    unit: "MB/s",
    subject: `the same as ring.drain.${name}`,
    controlledBy: `one memcpy for each ${title} event, into memory of the ring's size, on one processor`,
    target: null,
    run: drained(eventBytes, "copy"),
  };
}

/** MB/s of SHA-256 on one processor, in large pieces. */
async function shaMbPerSecond(lengthBytes: Size, workplace: Workplace): Promise<number> {
  const chunk = randomBytes(SHA_CHUNK_BYTES);
  const count = Math.floor(workplace.pick(lengthBytes) / SHA_CHUNK_BYTES);
  const hash = createHash("sha256");
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    hash.update(chunk);
  }
  hash.digest();
  return (count * SHA_CHUNK_BYTES) / 1e3 / (performance.now() - began);
}

/** `control` gives the p50 of so many rounds, with one end on processor `one`. */
type RoundTrip = (rounds: number, one: string) => Promise<number>;

const socketRoundTrip: RoundTrip = (rounds, one) => figureOf("echo_control", "p50_us", rounds, EVENT_BYTES, ACKNOWLEDGEMENT_BYTES, one);
const spunRoundTrip: RoundTrip = (rounds, one) => figureOf("ring_control", "p50_us", "spin", rounds, EVENT_BYTES, one);

function roundTrips(transport: Transport, control: RoundTrip): (workplace: Workplace) => Promise<Pair[]> {
  return async (workplace) => {
    const rounds = workplace.pick(ROUNDS);
    const { one, others } = placement();
    return await workplace.withMemorySidecar({ processors: others }, async ({ socketPath }) => {
      const subject = () => placedFigureOf(one, "client_append", "p50_us", transport, socketPath, SHIP, rounds, EVENT_BYTES, "single");
      // Once unmeasured: what the first calls are is the compiler's time.
      await subject();
      return await interleave(workplace.pick(LATENCY_PAIRS), subject, () => control(rounds, one));
    });
  };
}

const echo = `C to C over a Unix stream socket, ${EVENT_BYTES} B there and ${ACKNOWLEDGEMENT_BYTES} B back, blocking, p50; placed alike: one end on the first processor, the other on those that are left`;

export const ringRoundtrip: Measure = {
  name: "ring.roundtrip",
  unit: "us",
  subject: `append of one ${EVENT_BYTES} B event over the ring and its acknowledgement, memory store, one at a time, p50`,
  controlledBy: echo,
  target: { of: "ratio", bound: "at most", limit: 2.5 },
  run: roundTrips("ring", socketRoundTrip),
};

/** Beside the ring's, which must be below it. */
export const streamRoundtrip: Measure = {
  name: "stream.roundtrip",
  unit: "us",
  subject: "the same as ring.roundtrip over our own stream",
  controlledBy: echo,
  target: null,
  run: roundTrips("stream", socketRoundTrip),
};

/** What waking costs: the control never sleeps. */
export const ringSpin: Measure = {
  name: "ring.spin",
  unit: "us",
  subject: "the same as ring.roundtrip",
  controlledBy: `C to C over a ring, ${EVENT_BYTES} B each way, both ends looking without end, p50; placed alike`,
  target: null,
  // Two ends that never sleep on one processor would measure the scheduler's time slices.
  skip: () => (placement().one === placement().others ? "it needs two processors" : null),
  run: roundTrips("ring", spunRoundTrip),
};

export const ringGains: readonly Measure[] = [
  gain({ name: "100", title: "100 B", eventBytes: 100, limit: null }),
  gain({ name: "500", title: "500 B", eventBytes: 500, limit: 2 }),
  gain({ name: "10k", title: "10 kB", eventBytes: 10_000, limit: 4 }),
  gain({ name: "1m", title: "1 MB", eventBytes: 1_000_000, limit: 4 }),
];

const drainCases: readonly Case[] = [
  { name: "100", title: "100 B", eventBytes: 100, limit: 0.5 },
  { name: "500", title: "500 B", eventBytes: 500, limit: 0.6 },
  { name: "10k", title: "10 kB", eventBytes: 10_000, limit: 0.7 },
  { name: "1m", title: "1 MB", eventBytes: 1_000_000, limit: 0.7 },
];
export const ringDrains: readonly Measure[] = drainCases.map(drain);
export const ringCopies: readonly Measure[] = drainCases.map(copy);

export const ringDigest: Measure = {
  name: "ring.digest",
  unit: "MB/s",
  subject: "pipelined appends of 10 kB events over the ring into the memory store, with digests",
  controlledBy: "SHA-256 of as many bytes on one processor, in large pieces",
  target: { of: "ratio", bound: "at least", limit: 0.8 },
  run: (workplace) =>
    interleave(
      workplace.pick(PAIRS),
      () => freshMbPerSecond(workplace, "ring", 10_000, {}),
      () => shaMbPerSecond(RUN_BYTES, workplace),
    ),
};
