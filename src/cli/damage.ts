// The damaged commit log of a journal store, as verbs tell of it.
import type { ConcernedLog } from "../log/cut.ts";
import type { JournalDamage } from "../store/journal-damage.ts";
import { Exit, type ExitCode } from "./failure.ts";
import { count } from "./format.ts";
import type { Output } from "./output.ts";
import { shownShip } from "./ships.ts";

export interface FoundDamage {
  /** The store's URL. */
  readonly store: string;
  readonly damage: JournalDamage;
  readonly concerned: readonly ConcernedLog[];
  /** Whether the store was one before the damage already. */
  readonly formatted: boolean;
}

/** Hears of the damage before a store is opened as it was before; may throw to leave it closed. */
export type HeedDamage = (found: FoundDamage) => void;

function shownLog({ name }: ConcernedLog): string {
  return `${shownShip(name.ship.name, name.ship.kind)} log ${name.log}`;
}

/** The damage as part of a verb's JSON. */
export function damageJson({ damage, concerned }: FoundDamage): object {
  return {
    places: damage.places.map(({ file, offset, what, firstLost, lastLost }) => ({ file, offset, what, firstLost, lastLost })),
    lastKept: damage.lastKept,
    wholeLostRecords: damage.wholeLostRecords,
    logs: concerned.map(({ name: { ship, log }, lost }) => ({ ship: ship.name, kind: ship.kind, log, lost })),
  };
}

/** The damage for people: where, what is whole, whom going on without the rest concerns. */
export function damageText({ store, damage, concerned }: FoundDamage): string {
  const certain = concerned.filter(({ lost }) => lost !== null);
  const perhaps = concerned.filter(({ lost }) => lost === null);
  const whole = `and ${count(damage.wholeLostRecords)} whole records behind it`;
  return [
    `DAMAGE in the commit log of ${store}`,
    ...damage.places.map(({ file, offset, what }) => `  ${file === "" ? "" : `${file} at byte ${offset}: `}${what}`),
    `whole: everything up to record ${count(damage.lastKept)}`,
    `lost by a cut: record ${count(damage.lastKept + 1n)}${damage.wholeLostRecords === 0 ? "" : ` ${whole}`}, and with them`,
    ...certain.map((log) => `  ${shownLog(log)}: events ${count(log.lost?.first ?? 0n)} to ${count(log.lost?.last ?? 0n)}`),
    perhaps.length === 0
      ? "  nothing else that was in the store before"
      : `  perhaps events at the end of: ${perhaps.map(shownLog).join(", ")}`,
    "  perhaps ships that were not in the store before",
    "",
  ].join("\n");
}

/** What a verb that reads does about a damaged commit log: it warns, goes on with what lies before the damage, and ends as having found damage. */
export class DamageNote {
  readonly #output: Output;
  #found: FoundDamage | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  readonly heed: HeedDamage = (found) => {
    this.#found = found;
    this.#output.warn(damageText(found).trimEnd());
    this.#output.warn(
      `what is shown is the store as it was before the damage; nothing writes to it now. \`seguro repair ${found.store}\` says what can be done`,
    );
  };

  /** A field for the verb's JSON, or none. */
  get json(): object {
    return this.#found === null ? {} : { storeDamage: damageJson(this.#found) };
  }

  get exit(): ExitCode {
    return this.#found === null ? Exit.OK : Exit.DAMAGE;
  }

  /** Of a pier that is restored from there. */
  reasonsNotToBoot(): string[] {
    return this.#found === null ? [] : ["it ends before a damage of the store's commit log, and the ship may have gone on"];
  }
}
