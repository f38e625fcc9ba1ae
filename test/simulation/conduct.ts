// How writers treat each other, judged over a history: nobody is turned away or fenced without a cause, and no living writer is taken over.
import type { Session } from "./checker.ts";
import { type Entry, type Intervention, interventionsOf, OVER_QUOTA } from "./history.ts";

/** A claim that died is in the way for a lease, and its last commits for some time. */
const AFTERMATH_MS = 60_000;
/** What kept a beat from moving must have been there at some time in the lease before a takeover, or in the tries to write beats after it. */
const LEASE_MS = 30_000;

interface Attempt {
  readonly session: string;
  readonly ship: string;
  readonly fromMs: number;
  untilMs: number;
}

export function checkConduct(entries: readonly Entry[], sessions: readonly Session[], wrong: string[]): void {
  const attempts = attemptsOf(entries);
  const byHand = interventionsOf(entries);
  const others = (session: string, ship: string, fromMs: number, untilMs: number): boolean =>
    attempts.some((one) => one.session !== session && one.ship === ship && one.fromMs <= untilMs && one.untilMs + AFTERMATH_MS >= fromMs) ||
    byHand.some((one) => one.ship === ship && one.fromMs <= untilMs && one.untilMs + AFTERMATH_MS >= fromMs);
  const quotas = entries.filter((entry) => entry.kind === "disturbed" && entry.what === OVER_QUOTA);
  for (const entry of entries) {
    if ((entry.kind === "refused" || entry.kind === "ended") && entry.code === "store-full") {
      // The only end that the store's want of room has, and it has no other cause.
      const fromMs = attempts.find(({ session }) => session === entry.session)?.fromMs ?? 0;
      if (!quotas.some((quota) => quota.atMs <= entry.atMs && quota.kind === "disturbed" && quota.untilMs >= fromMs)) {
        wrong.push(`${entry.session} was told that the store is full, though it had room`);
      }
    } else if (entry.kind === "refused") {
      const attempt = attempts.find(({ session }) => session === entry.session);
      if (entry.code !== "ship-busy" && entry.code !== "claim-settling") {
        wrong.push(`${entry.session} was refused with ${entry.code}: ${entry.text}`);
      } else if (attempt !== undefined && !others(attempt.session, attempt.ship, attempt.fromMs, entry.atMs)) {
        wrong.push(`${entry.session} was turned away (${entry.text}) though nobody else was there`);
      }
    } else if (entry.kind === "ended" && entry.code !== null) {
      const session = sessions.find(({ name }) => name === entry.session);
      if (entry.code !== "fenced") {
        wrong.push(`${entry.session} ended with ${entry.code}: ${entry.text}`);
      } else if (session !== undefined && !others(session.name, session.ship, session.claimedMs, entry.atMs)) {
        wrong.push(`${entry.session} was fenced though nobody else was there`);
      }
    }
  }
  checkTakeovers(entries, sessions, byHand, wrong);
}

function attemptsOf(entries: readonly Entry[]): Attempt[] {
  const attempts = new Map<string, Attempt>();
  for (const entry of entries) {
    if (entry.kind === "claiming") {
      attempts.set(entry.session, { session: entry.session, ship: entry.ship, fromMs: entry.atMs, untilMs: Number.POSITIVE_INFINITY });
    } else if (entry.kind === "refused" || entry.kind === "ended") {
      const attempt = attempts.get(entry.session);
      if (attempt !== undefined) {
        attempt.untilMs = entry.atMs;
      }
    }
  }
  return [...attempts.values()];
}

/** A writer that lives, and can say so, is not taken over by another process unless somebody fenced it by hand. */
function checkTakeovers(entries: readonly Entry[], sessions: readonly Session[], byHand: readonly Intervention[], wrong: string[]): void {
  for (const later of sessions) {
    const before = sessions.filter(({ ship, epoch }) => ship === later.ship && epoch < later.epoch);
    const earlier = before.reduce<Session | null>((newest, one) => (newest === null || one.epoch > newest.epoch ? one : newest), null);
    if (earlier === null || earlier.process === later.process || earlier.leavingMs <= later.openedMs) {
      continue;
    }
    const fenced = byHand.some(
      ({ what, ship, fromMs, untilMs }) =>
        what === "fence" && ship === later.ship && untilMs >= earlier.claimedMs && fromMs <= later.openedMs,
    );
    const disturbed = entries.some((entry) => {
      const meant = entry.kind === "disturbed" && (entry.process === "*" || entry.process === earlier.process);
      return meant && entry.atMs <= later.openedMs && entry.untilMs + LEASE_MS >= later.claimedMs;
    });
    if (!fenced && !disturbed) {
      wrong.push(`${later.name} (epoch ${later.epoch}) took ${later.ship} over from ${earlier.name} (${earlier.process}), which was alive`);
    }
  }
}
