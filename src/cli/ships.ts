// A ship as it is named on the command line, and as the sidecar's answers describe it.
import { shipNumber } from "../ship.ts";
import { usageError } from "./failure.ts";

export interface KindOptions {
  readonly fake?: boolean;
  readonly real?: boolean;
}

/** Which of a fake and a real ship of one name is meant; undefined: whichever exists. */
export function kindOf(options: KindOptions): "fake" | "real" | undefined {
  if (options.fake === true && options.real === true) {
    throw usageError("--fake and --real exclude each other", "give the one that is meant");
  }
  return options.fake === true ? "fake" : options.real === true ? "real" : undefined;
}

/** The name with its `~`, which may be left out on the command line because shells read it as a home folder. */
export function shipName(argument: string): string {
  const name = argument.startsWith("~") ? argument : `~${argument}`;
  if (shipNumber(name) === null) {
    throw usageError(
      `"${argument}" is not the name of a ship`,
      "names look like ~zod, ~marzod or ~sampel-palnet; quote them where the shell expands ~",
    );
  }
  return name;
}

/** A log's number from the command line. */
export function logNumber(argument: string): number {
  const number = Number(argument);
  if (!/^\d{1,9}$/.test(argument) || number === 0) {
    throw usageError(`"${argument}" is not a log's number`, "`seguro list` shows the numbers, which begin at 1");
  }
  return number;
}

/** An event's id from the command line. */
export function eventId(argument: string): bigint {
  if (!/^\d{1,19}$/.test(argument) || BigInt(argument) === 0n) {
    throw usageError(`"${argument}" is not an event's number`, "events are counted from 1");
  }
  return BigInt(argument);
}

/** "~zod" or "~zod (fake)". */
export function shownShip(ship: string, kind: string): string {
  return kind === "fake" ? `${ship} (fake)` : ship;
}
