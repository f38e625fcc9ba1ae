// A ship's identity: its number and whether it is a real ship or a fake one of the same name. A leaf that every room may use.
import { render, tryParse } from "@urbit/aura";

export type ShipKind = "real" | "fake";

export interface Ship {
  /** The 128-bit number behind the name. */
  readonly number: bigint;
  readonly kind: ShipKind;
  /** The canonical `@p`, such as "~sampel-palnet". */
  readonly name: string;
}

const SHIP_BYTES = 16;
/** The longest `@p`: a comet, `~` and eight words with their hyphens. */
const NAME_LENGTH_MAX = 64;

/** The number of a `@p`, or null when the text is not the canonical name of a galaxy, star, planet, moon or comet. */
export function shipNumber(name: string): bigint | null {
  // `tryParse`, because the library's `parse` takes ~zod, number 0, for a failure.
  const number = name.length > NAME_LENGTH_MAX ? null : tryParse("p", name);
  return number !== null && render("p", number) === name ? number : null;
}

/** The identity of a number of at most 128 bits. */
export function makeShip(number: bigint, kind: ShipKind): Ship {
  return { number, kind, name: render("p", number) };
}

/** "~zod" or "~zod (fake)": for people, in status lines and errors. */
export function shipText(ship: Ship): string {
  return ship.kind === "fake" ? `${ship.name} (fake)` : ship.name;
}

/** The number as 16 bytes, little-endian, as Vere's META `who`, block headers and digests hold it. */
export function shipBytes(number: bigint): Buffer {
  const bytes = Buffer.alloc(SHIP_BYTES);
  bytes.writeBigUInt64LE(number & 0xffffffffffffffffn, 0);
  bytes.writeBigUInt64LE(number >> 64n, 8);
  return bytes;
}

/** Reads what `shipBytes` wrote; shorter input (Vere strips trailing zeros) counts as padded with zeros. At most 16 bytes. */
export function shipNumberFromBytes(bytes: Uint8Array): bigint {
  const whole = Buffer.alloc(SHIP_BYTES);
  whole.set(bytes.subarray(0, SHIP_BYTES));
  return whole.readBigUInt64LE(0) | (whole.readBigUInt64LE(8) << 64n);
}
