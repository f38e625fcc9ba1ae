// What happened, as the outside saw it: who claimed what, what was sent, what was promised, what was read. The promise is judged by this alone
// (checker.ts), so that histories of real clusters can be judged as well.
import { crc32c } from "../../src/native/checksum.ts";

/** Stands for an event's bytes. */
export type Mark = string;

export function markOf(payload: Buffer): Mark {
  return `${payload.length}:${crc32c(payload).toString(16)}`;
}

/** One claim of a ship, or the attempt. */
export interface SessionEntry {
  readonly session: string;
  readonly process: string;
  readonly ship: string;
}

export type Entry = { readonly atMs: number } & (
  | ({ readonly kind: "claiming" } & SessionEntry)
  /** The claim's owner was told a height. */
  | { readonly kind: "opened"; readonly session: string; readonly log: number; readonly epoch: bigint; readonly height: bigint }
  | { readonly kind: "refused"; readonly session: string; readonly code: string; readonly text: string }
  | { readonly kind: "sent"; readonly session: string; readonly firstId: bigint; readonly marks: readonly Mark[]; readonly atomic: boolean }
  | { readonly kind: "acknowledged"; readonly session: string; readonly height: bigint }
  /** A value of Vere's metadata that is durable, under a key of its own. */
  | { readonly kind: "kept"; readonly session: string; readonly key: string; readonly mark: Mark }
  /** Its sidecar is to end it: its ship may be another's from now on, before anybody hears that it has ended. */
  | { readonly kind: "releasing"; readonly session: string }
  /** It failed (a code), or was ended by its owner (null). */
  | { readonly kind: "ended"; readonly session: string; readonly code: string | null; readonly text: string }
  /** Its owner waits for it no longer; its sidecar does not know, and may go on with it until it has ended. */
  | { readonly kind: "abandoned"; readonly session: string }
  /** `writes`: its sidecar has a session that writes the log, or was fenced and does not know it yet. It shows what that session knows. */
  | { readonly kind: "looking"; readonly reader: string; readonly ship: string; readonly log: number; readonly writes: boolean }
  | { readonly kind: "read"; readonly reader: string; readonly height: bigint; readonly firstId: bigint; readonly marks: readonly Mark[] }
  | { readonly kind: "misread"; readonly reader: string; readonly text: string }
  /** Somebody fences or retires a ship by hand, from then until it is said to be over. */
  | { readonly kind: "intervening"; readonly name: string; readonly what: Intervention["what"]; readonly ship: string }
  | { readonly kind: "intervened"; readonly name: string }
  /** A process does not run, or does not reach the store, or cannot write there, until then; "*" for all of them. */
  | { readonly kind: "disturbed"; readonly process: string; readonly what: string; readonly untilMs: number }
);

/** What `disturbed` says while commits are refused because there is no room: the one cause of `store-full`. */
export const OVER_QUOTA = "the quota is used up";

/** Somebody stepped in by hand: from when, until when it was said to be done, which may be never. */
export interface Intervention {
  readonly what: "fence" | "retire";
  readonly ship: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

export function interventionsOf(entries: readonly Entry[]): Intervention[] {
  return entries.flatMap((entry) => {
    if (entry.kind !== "intervening") {
      return [];
    }
    const over = entries.find((other) => other.kind === "intervened" && other.name === entry.name);
    return [{ what: entry.what, ship: entry.ship, fromMs: entry.atMs, untilMs: over?.atMs ?? Number.POSITIVE_INFINITY }];
  });
}

/** What is left of a log at the end. */
export interface FinalLog {
  readonly ship: string;
  readonly log: number;
  readonly height: bigint;
  /** From the log's first event on, by id. */
  readonly events: ReadonlyMap<bigint, Mark>;
  /** Vere's metadata, by key. */
  readonly meta: ReadonlyMap<string, Mark>;
  /** What verification finds wrong, and rows that should not be there. */
  readonly wrong: readonly string[];
}

type WithoutTime<T> = T extends unknown ? Omit<T, "atMs"> : never;

export class History {
  readonly entries: Entry[] = [];
  readonly #nowMs: () => number;
  #serial = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(entry: WithoutTime<Entry>): void {
    this.entries.push({ atMs: this.#nowMs(), ...entry });
  }

  /** A name that nobody else has. */
  name(what: string): string {
    return `${what}${++this.#serial}`;
  }
}

/** An entry as one line, for people and for comparing runs. */
export function lineOf(entry: Entry): string {
  const { atMs, kind, ...rest } = entry;
  const text = JSON.stringify(rest, (key, value: unknown) => {
    if (typeof value === "bigint") {
      return Number(value);
    }
    return key === "marks" && Array.isArray(value) ? `${value.length}: ${value.slice(0, 3).join(" ")}` : value;
  });
  return `${(atMs / 1000).toFixed(4)} ${kind} ${text}`;
}
