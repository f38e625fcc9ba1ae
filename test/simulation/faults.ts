// What may go wrong between a client and a simulated database, how often in this run, and what becomes of one commit.
import type { Chance } from "./chance.ts";

/** How often each thing happens, of a thousand commits or reads. */
export interface FaultRates {
  /** 1020 though nothing conflicted. */
  readonly conflict: number;
  /** An error after which the commit has not landed and never will. */
  readonly refused: number;
  /** An unknown outcome: it landed. */
  readonly unknownLanded: number;
  /** An unknown outcome: it did not. */
  readonly unknownLost: number;
  /** An unknown outcome, and it lands some time after its error. */
  readonly unknownLate: number;
  /** A read, or the taking of a read version, that fails and may be tried again. */
  readonly read: number;
  /** A range read that gives fewer rows than it could. */
  readonly short: number;
  /** An answer that takes its time. */
  readonly slow: number;
}

export const NO_FAULTS: FaultRates = {
  conflict: 0,
  refused: 0,
  unknownLanded: 0,
  unknownLost: 0,
  unknownLate: 0,
  read: 0,
  short: 0,
  slow: 0,
};

const RATES_MAX: FaultRates = {
  conflict: 200,
  refused: 150,
  unknownLanded: 150,
  unknownLost: 150,
  unknownLate: 150,
  read: 100,
  short: 500,
  slow: 150,
};

/** Rates of one run: each fault is away from about half of them, so that runs differ in kind. */
export function faultRates(chance: Chance): FaultRates {
  const rate = (most: number): number => (chance.odds(0.5) ? 0 : Math.round(most * chance.unit() ** 2));
  return {
    conflict: rate(RATES_MAX.conflict),
    refused: rate(RATES_MAX.refused),
    unknownLanded: rate(RATES_MAX.unknownLanded),
    unknownLost: rate(RATES_MAX.unknownLost),
    unknownLate: rate(RATES_MAX.unknownLate),
    read: rate(RATES_MAX.read),
    short: rate(RATES_MAX.short),
    slow: rate(RATES_MAX.slow),
  };
}

export const TOO_OLD = 1007;
export const FUTURE = 1009;
export const CONFLICT = 1020;
export const UNKNOWN = 1021;
export const CANCELLED = 1025;
export const LOCKED = 1038;
/** The quota of storage is used up. */
export const FULL = 1225;
export const TOO_LARGE = 2101;
export const KEY_TOO_LARGE = 2102;
export const VALUE_TOO_LARGE = 2103;

/** Behind, proxy without memory, throttled by batch and by tag, proxies and storage servers changed. */
const REFUSALS = [TOO_OLD, FUTURE, 1037, 1042, 1051, 1078, 1213, 1223] as const;
/** Not known to have committed, timed out, the cluster's version changed. */
const UNKNOWNS = [UNKNOWN, UNKNOWN, 1031, 1039] as const;
const READ_FAILURES = [TOO_OLD, FUTURE, 1037, 1051, 1078] as const;

const LATE_MS = 2_000;

/** What becomes of a commit that has reached the cluster: whether it lands, after how long, and which error its sender sees instead of its outcome. */
export interface Fate {
  readonly lands: boolean;
  readonly lateMs: number;
  readonly error: number | null;
}

export function commitFate(rates: FaultRates, chance: Chance): Fate {
  let dice = chance.between(0, 999);
  const happens = (rate: number): boolean => {
    dice -= rate;
    return dice < 0;
  };
  if (happens(rates.conflict)) {
    return { lands: false, lateMs: 0, error: CONFLICT };
  }
  if (happens(rates.refused)) {
    return { lands: false, lateMs: 0, error: chance.pick(REFUSALS) };
  }
  if (happens(rates.unknownLanded)) {
    return { lands: true, lateMs: 0, error: chance.pick(UNKNOWNS) };
  }
  if (happens(rates.unknownLost)) {
    return { lands: false, lateMs: 0, error: chance.pick(UNKNOWNS) };
  }
  if (happens(rates.unknownLate)) {
    return { lands: true, lateMs: chance.around(chance.pick([5, 100, LATE_MS])), error: chance.pick(UNKNOWNS) };
  }
  return { lands: true, lateMs: 0, error: null };
}

/** The error a read ends with, or null. */
export function readFailure(rates: FaultRates, chance: Chance): number | null {
  return chance.odds(rates.read / 1000) ? chance.pick(READ_FAILURES) : null;
}
