// The one promise, judged over a history: what was acknowledged is there, unchanged, in order, and of one writer at a time.
import { checkClaims } from "./claims.ts";
import { checkConduct } from "./conduct.ts";
import type { Entry, FinalLog, Mark } from "./history.ts";

/** A session that was told a height, with all that it was told and all that it sent. */
export interface Session {
  readonly name: string;
  readonly process: string;
  readonly ship: string;
  readonly claimedMs: number;
  readonly openedMs: number;
  readonly log: number;
  readonly epoch: bigint;
  readonly openedAt: bigint;
  /** The greatest height it was told. */
  acknowledged: bigint;
  /** The greatest it was told for events that it sent itself, above the height it was opened at; 0n while there are none. */
  promised: bigint;
  readonly sent: Map<bigint, Mark>;
  /** Metadata that it was told is durable. */
  readonly kept: Map<string, Mark>;
  readonly atomic: { readonly firstId: bigint; readonly lastId: bigint }[];
  /** When it was told to end; what became of it then may have taken its time. */
  leavingMs: number;
  code: string | null;
}

/** What is wrong with a history; nothing, if the promise was kept. */
export function check(entries: readonly Entry[], finals: readonly FinalLog[]): string[] {
  const wrong: string[] = [];
  const sessions = sessionsOf(entries, wrong);
  checkClaims(entries, sessions, wrong);
  for (const final of finals) {
    const own = sessions.filter(({ ship, log }) => ship === final.ship && log === final.log);
    wrong.push(...final.wrong.map((what) => `${nameOf(final)}: ${what}`));
    checkHeights(final, own, wrong);
    checkEvents(final, own, wrong);
    for (const { name, kept } of own) {
      const lost = [...kept].filter(([key, mark]) => final.meta.get(key) !== mark);
      wrong.push(...lost.map(([key]) => `metadata ${key} of ${name} is not in ${nameOf(final)} as it was kept`));
    }
  }
  for (const { ship, log, name } of sessions) {
    if (
      !finals.some((final) => final.ship === ship && final.log === log) &&
      (sessions.find((one) => one.name === name)?.acknowledged ?? 0n) > 0n
    ) {
      wrong.push(`${name} was acknowledged in log ${log} of ${ship}, which does not exist`);
    }
  }
  checkReads(entries, sessions, finals, wrong);
  checkConduct(entries, sessions, wrong);
  return wrong;
}

function nameOf({ ship, log }: { readonly ship: string; readonly log: number }): string {
  return `log ${log} of ${ship}`;
}

/** Gathers what each session was told, and judges what can be judged of it alone. */
function sessionsOf(entries: readonly Entry[], wrong: string[]): Session[] {
  const claims = new Map<string, Entry & { kind: "claiming" }>();
  const sessions = new Map<string, Session>();
  for (const entry of entries) {
    if (entry.kind === "claiming") {
      claims.set(entry.session, entry);
    } else if (entry.kind === "opened") {
      const claim = claims.get(entry.session);
      sessions.set(entry.session, {
        name: entry.session,
        process: claim?.process ?? "",
        ship: claim?.ship ?? "",
        claimedMs: claim?.atMs ?? 0,
        openedMs: entry.atMs,
        log: entry.log,
        epoch: entry.epoch,
        openedAt: entry.height,
        acknowledged: entry.height,
        promised: 0n,
        sent: new Map(),
        kept: new Map(),
        atomic: [],
        leavingMs: Number.POSITIVE_INFINITY,
        code: null,
      });
    } else if (entry.kind === "kept") {
      sessions.get(entry.session)?.kept.set(entry.key, entry.mark);
    } else if (entry.kind === "sent" || entry.kind === "acknowledged" || entry.kind === "releasing" || entry.kind === "ended") {
      const session = sessions.get(entry.session);
      if (session !== undefined) {
        follow(session, entry, wrong);
      }
    }
  }
  return [...sessions.values()];
}

function follow(session: Session, entry: Entry & { kind: "sent" | "acknowledged" | "releasing" | "ended" }, wrong: string[]): void {
  if (entry.kind === "sent") {
    entry.marks.forEach((mark, index) => {
      session.sent.set(entry.firstId + BigInt(index), mark);
    });
    if (entry.atomic) {
      session.atomic.push({ firstId: entry.firstId, lastId: entry.firstId + BigInt(entry.marks.length) - 1n });
    }
  } else if (entry.kind === "releasing" || entry.kind === "ended") {
    session.leavingMs = Math.min(session.leavingMs, entry.atMs);
    session.code = entry.kind === "ended" ? entry.code : session.code;
  } else {
    if (entry.height < session.acknowledged) {
      wrong.push(`${session.name} was told ${session.acknowledged}, then ${entry.height}`);
    }
    for (let id = session.acknowledged + 1n; id <= entry.height && session.acknowledged > 0n; id++) {
      if (!session.sent.has(id)) {
        wrong.push(`${session.name} was told that event ${id} is durable, which it never sent`);
      }
    }
    session.acknowledged = entry.height;
    session.promised = entry.height > session.openedAt ? entry.height : session.promised;
  }
}

/** The session that must have written event `id`: the last one that was told a height below it. */
function ownerOf(id: bigint, sessions: readonly Session[]): Session | null {
  let owner: Session | null = null;
  for (const session of sessions) {
    if (session.openedAt < id && (owner === null || session.epoch > owner.epoch)) {
      owner = session;
    }
  }
  return owner;
}

/** A height lies at no place inside of a batch that is to be there as a whole. */
function checkWhole(what: string, height: bigint, sessions: readonly Session[], wrong: string[]): void {
  const inside = ownerOf(height, sessions)?.atomic.find(({ firstId, lastId }) => firstId <= height && height < lastId);
  if (inside !== undefined) {
    wrong.push(`${what} is ${height}, inside the atomic batch ${inside.firstId} to ${inside.lastId}`);
  }
}

function checkHeights(final: FinalLog, sessions: readonly Session[], wrong: string[]): void {
  for (const session of sessions) {
    if (session.acknowledged > final.height) {
      wrong.push(`${session.name} was promised ${session.acknowledged}, but ${nameOf(final)} ends at ${final.height}`);
    }
    checkWhole(`the height that ${session.name} was told`, session.openedAt, sessions, wrong);
  }
  checkWhole(`the end of ${nameOf(final)}`, final.height, sessions, wrong);
}

/** Each event is there, in its place, as its owner sent it. */
function checkEvents(final: FinalLog, sessions: readonly Session[], wrong: string[]): void {
  let next: bigint | null = null;
  for (const [id, mark] of final.events) {
    if (next !== null && id !== next) {
      wrong.push(`${nameOf(final)} has event ${id} where ${next} should be`);
    }
    next = id + 1n;
    const owner = ownerOf(id, sessions);
    if (owner?.sent.get(id) !== mark) {
      const author = sessions.find(({ sent }) => sent.get(id) === mark);
      const of = author === undefined ? "nobody's" : `of ${author.name} (epoch ${author.epoch})`;
      wrong.push(`event ${id} of ${nameOf(final)} is ${of}; it must be of ${owner?.name} (epoch ${owner?.epoch})`);
    }
  }
  if (final.height !== (next ?? 1n) - 1n) {
    wrong.push(`${nameOf(final)} says ${final.height}, but its events end at ${(next ?? 1n) - 1n}`);
  }
}

/** What was read is what is there in the end, and no less than had been promised when the reading began. */
function checkReads(entries: readonly Entry[], sessions: readonly Session[], finals: readonly FinalLog[], wrong: string[]): void {
  const looking = new Map<string, { final: FinalLog | undefined; promised: bigint; sessions: Session[] }>();
  const promised = new Map<string, bigint>();
  for (const entry of entries) {
    if (entry.kind === "acknowledged" || entry.kind === "opened") {
      const session = sessions.find(({ name }) => name === entry.session);
      const log = session === undefined ? "" : nameOf(session);
      promised.set(log, entry.height > (promised.get(log) ?? 0n) ? entry.height : (promised.get(log) ?? 0n));
    } else if (entry.kind === "looking") {
      const final = finals.find(({ ship, log }) => ship === entry.ship && log === entry.log);
      const own = sessions.filter(({ ship, log }) => ship === entry.ship && log === entry.log);
      looking.set(entry.reader, { final, promised: entry.writes ? 0n : (promised.get(nameOf(entry)) ?? 0n), sessions: own });
    } else if (entry.kind === "read") {
      const begun = looking.get(entry.reader);
      if (begun !== undefined) {
        checkRead(entry, begun.promised, begun.final?.events ?? new Map(), wrong);
        checkWhole(`the height that ${entry.reader} was told`, entry.height, begun.sessions, wrong);
      }
    } else if (entry.kind === "misread") {
      wrong.push(`${entry.reader} could not read: ${entry.text}`);
    }
  }
}

function checkRead(read: Entry & { kind: "read" }, promised: bigint, events: ReadonlyMap<bigint, Mark>, wrong: string[]): void {
  if (read.height < promised) {
    wrong.push(`${read.reader} was told ${read.height} after ${promised} had been promised`);
  }
  read.marks.forEach((mark, index) => {
    const id = read.firstId + BigInt(index);
    if (events.get(id) !== mark) {
      wrong.push(`${read.reader} read an event ${id} that is not the one in the log`);
    }
  });
}
