// What claims were told, judged against each other: epochs are one's own, and neither logs nor heights go back.
import type { Session } from "./checker.ts";
import { type Entry, interventionsOf } from "./history.ts";

export function checkClaims(entries: readonly Entry[], sessions: readonly Session[], wrong: string[]): void {
  const ordered = [...sessions].sort((one, other) => Number(one.epoch - other.epoch));
  ordered.forEach((later, index) => {
    for (const earlier of ordered.slice(0, index).filter(({ ship }) => ship === later.ship)) {
      checkPair(earlier, later, wrong);
    }
  });
  checkRetirements(entries, sessions, wrong);
}

/**
 * A claim's epoch rises before it reads where the log is and ends. One that is superseded between the two may read what came after it: events of
 * its successors, even their next log. It can write nothing there. So what it was told when it was opened binds only those who claimed after
 * that; what became durable under its own epoch binds every later epoch.
 */
function checkPair(earlier: Session, later: Session, wrong: string[]): void {
  const before = earlier.openedMs <= later.claimedMs;
  const wrote = earlier.promised > 0n || earlier.kept.size > 0;
  const told = before && earlier.openedAt > earlier.promised ? earlier.openedAt : earlier.promised;
  if (earlier.epoch === later.epoch) {
    wrong.push(`${textOf(earlier)} and ${later.name} both have epoch ${later.epoch} of ${later.ship}`);
  } else if (later.log < earlier.log && (before || wrote)) {
    wrong.push(`${textOf(later)} was told log ${later.log} after ${textOf(earlier)} ${wrote ? "wrote" : "was told"} log ${earlier.log}`);
  } else if (later.log === earlier.log && told > later.openedAt) {
    wrong.push(`${textOf(earlier)} was promised ${told}, but ${textOf(later)} was told ${later.openedAt}`);
  }
}

/** Every log but the first follows one that was retired by hand: as many are behind a claim as were retired before it began, or while it did. */
function checkRetirements(entries: readonly Entry[], sessions: readonly Session[], wrong: string[]): void {
  const byHand = interventionsOf(entries).filter(({ what }) => what === "retire");
  for (const session of sessions) {
    const own = byHand.filter(({ ship }) => ship === session.ship);
    const ended = own.filter(({ untilMs }) => untilMs <= session.claimedMs).length;
    const begun = own.filter(({ fromMs }) => fromMs <= session.openedMs).length;
    const retired = session.log - 1;
    if (retired < ended || retired > begun) {
      wrong.push(`${textOf(session)} was told log ${session.log}, though ${ended} to ${begun} logs of ${session.ship} had been retired`);
    }
  }
}

function textOf({ name, epoch }: Session): string {
  return `${name} (epoch ${epoch})`;
}
