// What a run of `seguro bench` will do, before it does anything: sizes, turns, and how much it writes at most.
import { usageError } from "./failure.ts";

/** Every series is taken so often, the subjects and their controls in turns. */
export const ROUNDS = 3;
export const TRIP_EVENT_BYTES = 500;
/** Of one turn of round trips. */
export const TRIPS_MAX = 4000;

const SECONDS_DEFAULT = 20;
const SECONDS_MAX = 3600;
/** Of appends in one turn, for each second of the whole run. */
const TURN_BYTES_PER_SECOND = 2_000_000;
/** So many events has a turn at least, however large they are. */
const TURN_EVENTS_MIN = 8;
const EVENT_BYTES_MAX = 64_000_000;
const SIZES_DEFAULT = "100,500,10k,100k,1m";
const SIZES_MAX = 12;
/** Both transports, in each round. */
const TRANSPORTS = 2;
const SUFFIX: Readonly<Record<string, number>> = { "": 1, k: 1000, m: 1_000_000 };

export interface Plan {
  /** Of one event, rising. */
  readonly sizes: readonly number[];
  readonly seconds: number;
  /** The longest that one turn may take; none is cut short in the middle of an event. */
  readonly turnSeconds: number;
  /** Events of one turn of appends, and at most of one turn of replay. */
  eventsOf(eventBytes: number): number;
  /** All that is written at most, and what of it lies in the store at one time. */
  readonly writtenBytes: number;
  readonly heldBytes: number;
}

export interface PlanOptions {
  readonly bytes?: string;
  readonly seconds?: string;
}

function sizeOf(text: string): number {
  const [, digits, suffix] = /^(\d{1,8})([km]?)$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * (SUFFIX[suffix?.toLowerCase() ?? ""] ?? Number.NaN);
  if (!(bytes >= 1 && bytes <= EVENT_BYTES_MAX)) {
    throw usageError(`"${text}" is not a size of events`, "sizes are bytes from 1 to 64m, such as --bytes 100,10k,1m");
  }
  return bytes;
}

function sizesOf(list: string): number[] {
  const sizes = [...new Set(list.split(",").map(sizeOf))].toSorted((a, b) => a - b);
  if (sizes.length > SIZES_MAX) {
    throw usageError(`--bytes names ${sizes.length} sizes`, `give at most ${SIZES_MAX}`);
  }
  return sizes;
}

function secondsOf(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= SECONDS_MAX)) {
    throw usageError(`--seconds ${text} is not a number of seconds`, `give more than 0 and at most ${SECONDS_MAX}`);
  }
  return seconds;
}

export function planOf(options: PlanOptions): Plan {
  const sizes = sizesOf(options.bytes ?? SIZES_DEFAULT);
  const seconds = secondsOf(options.seconds ?? String(SECONDS_DEFAULT));
  // Appends and replay of each size, and one line of round trips, over both transports; the two controls of round trips.
  const turns = ROUNDS * (sizes.length * 2 * TRANSPORTS + TRANSPORTS + 2);
  const eventsOf = (eventBytes: number): number => Math.max(TURN_EVENTS_MIN, Math.floor((seconds * TURN_BYTES_PER_SECOND) / eventBytes));
  const bytesOfSize = sizes.map((size) => ROUNDS * TRANSPORTS * eventsOf(size) * size);
  const tripBytes = ROUNDS * TRANSPORTS * TRIPS_MAX * TRIP_EVENT_BYTES;
  return {
    sizes,
    seconds,
    turnSeconds: seconds / turns,
    eventsOf,
    writtenBytes: bytesOfSize.reduce((sum, bytes) => sum + bytes, tripBytes),
    heldBytes: Math.max(tripBytes, ...bytesOfSize),
  };
}
