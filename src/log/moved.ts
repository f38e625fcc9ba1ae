// Ships whose log is on its way to another store, or lives there now: what the ship record says of it, and who is refused (docs/schema.md, "Moved ships").
import { type Ship, shipText } from "../ship.ts";
import type { ShipRecord } from "../store/layout.ts";
import { SeguroError } from "../wire/errors.ts";

/**
 * `moving-to`: this is the ship's log, but nobody writes it while it is being copied. `moved-to`, `copied-to`: the log goes on in the other store;
 * what is here is what it was then, to be freed (moved) or to be kept (copied). `moving-from`: not whole yet.
 */
export type MoveState = "moving-to" | "moved-to" | "copied-to" | "moving-from";

export interface Move {
  readonly state: MoveState;
  /** The other store's name. */
  readonly store: string;
}

const FIELDS = {
  "moving-to": "movingTo",
  "moved-to": "movedTo",
  "copied-to": "copiedTo",
  "moving-from": "movingFrom",
} as const satisfies Record<MoveState, keyof ShipRecord>;

/** What a ship record says of another store; null for a ship that lives here. */
export function moveOf(record: ShipRecord): Move | null {
  for (const state of Object.keys(FIELDS) as MoveState[]) {
    const store = record[FIELDS[state]];
    if (store !== undefined) {
      return { state, store };
    }
  }
  return null;
}

/** A ship record that says this of another store, and nothing else. */
export function shipRecord(currentLog: number, nextLog: number, move: Move | null): ShipRecord {
  return { currentLog, nextLog, ...(move === null ? {} : { [FIELDS[move.state]]: move.store }) };
}

/** For people: "moved to lmdb:/b". */
export function moveText({ state, store }: Move): string {
  return state === "moving-from"
    ? `being moved here from ${store}`
    : `${state === "moving-to" ? "being moved" : state.slice(0, -3)} to ${store}`;
}

/** Refuses who would write the log of a ship that does not live here: it would fork. */
export function requireHere(ship: Ship, record: ShipRecord | null, owner: { readonly manages?: boolean }): void {
  const move = record === null ? null : moveOf(record);
  if (move === null || owner.manages === true) {
    return;
  }
  const finish = "run the same `seguro migrate` again to finish it, or with --cancel to give it up";
  const hint = move.state.startsWith("moving") ? finish : `use ${move.store}; \`seguro migrate\` brings the ship back here`;
  throw new SeguroError("ship-moved", `${shipText(ship)} ${move.state.startsWith("moving") ? "is" : "was"} ${moveText(move)}`, hint);
}

/** Retiring and forgetting free the room of what was moved away; a log under way, or a copy that is meant to stay, is left alone. */
export function requireFreeable(ship: Ship, record: ShipRecord): void {
  if (moveOf(record)?.state !== "moved-to") {
    requireHere(ship, record, {});
  }
}
