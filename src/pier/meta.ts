// Vere's META: small keys and values, and what they say about the ship. Values are kept byte for byte.
import { render } from "@urbit/aura";
import { PierError } from "./errors.ts";

/** META in key order. Keys are text without a NUL; values may be empty, which is not the same as absent. */
export type PierMeta = Map<string, Buffer>;

/** Who the ship of a pier is. */
export interface PierIdentity {
  /** The ship's number, below 2^128. */
  number: bigint;
  /** Its name, such as `~zod`. */
  name: string;
  /** A fake ship and the real one of the same name are different ships. */
  fake: boolean;
  /** How many of the first events boot the kernel. */
  life: number;
}

const whoBytesMax = 16;
const lifeBytesMax = 4;

/** A little-endian number; Vere strips trailing zero bytes, so an empty value is 0. */
export function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes.toReversed()) {
    value = (value << 8n) | BigInt(byte);
  }
  return value;
}

function need(meta: PierMeta, key: string, where: string, bytesMax: number): Buffer {
  const value = meta.get(key);
  if (value === undefined) {
    throw new PierError("pier-damaged", `${where} has no META entry "${key}"`, "Vere does not start such a pier either");
  }
  if (value.length > bytesMax) {
    throw new PierError("pier-damaged", `${where} has a META entry "${key}" of ${value.length} bytes; at most ${bytesMax} make sense`);
  }
  return value;
}

/** Reads the ship's identity; throws `pier-damaged` where an entry that Vere needs is missing. */
export function identityOf(meta: PierMeta, where: string): PierIdentity {
  const number = littleEndian(need(meta, "who", where, whoBytesMax));
  // A loobean: yes is 0, and stored as nothing.
  const fake = littleEndian(need(meta, "fake", where, 1)) === 0n;
  const life = Number(littleEndian(need(meta, "life", where, lifeBytesMax)));
  return { number, name: render("p", number), fake, life };
}
