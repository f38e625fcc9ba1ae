// Keys as FoundationDB's tuple layer packs them: (logical key as a byte string, index of the fragment as an integer), after the store's prefix.

const BYTE_STRING = 0x01;
const END = 0x00;
/** Follows a zero byte that belongs to the string, and so tells it from its end. */
const ESCAPE = 0xff;
const INTEGER_ZERO = 0x14;
const INTEGER_BYTES_MAX = 2;

/** What a physical key says. */
export interface FragmentName {
  readonly key: Buffer;
  readonly index: number;
}

/**
 * What all fragments of a logical key begin with, and nothing else does. Stems sort as their logical keys do, and so do the fragments under them:
 * a range of logical keys is the range between two stems.
 */
export function packStem(prefix: Buffer, key: Buffer): Buffer {
  let zeros = 0;
  for (const byte of key) if (byte === 0) zeros++;
  const stem = Buffer.allocUnsafe(prefix.length + key.length + zeros + 2);
  let at = prefix.copy(stem);
  stem[at++] = BYTE_STRING;
  for (const byte of key) {
    stem[at++] = byte;
    if (byte === 0) stem[at++] = ESCAPE;
  }
  stem[at] = END;
  return stem;
}

/** The physical key of one fragment: the shortest big-endian bytes of its index, after a byte that says how many they are. */
export function packFragment(stem: Buffer, index: number): Buffer {
  if (index === 0) return Buffer.concat([stem, Buffer.of(INTEGER_ZERO)]);
  const bytes = index > 0xff ? [index >> 8, index & 0xff] : [index];
  return Buffer.concat([stem, Buffer.of(INTEGER_ZERO + bytes.length, ...bytes)]);
}

/** After every fragment of the stem's key, and before every other key that sorts after it. */
export function afterFragments(stem: Buffer): Buffer {
  return Buffer.concat([stem, Buffer.of(ESCAPE)]);
}

/** Reads a physical key; null if it is not one of this layout. */
export function unpackFragment(physical: Buffer, prefixBytes: number): FragmentName | null {
  if (physical[prefixBytes] !== BYTE_STRING) return null;
  const key = Buffer.allocUnsafe(physical.length);
  let length = 0;
  let at = prefixBytes + 1;
  for (; at < physical.length; at++) {
    const byte = physical[at] ?? 0;
    if (byte === END) {
      if (physical[at + 1] !== ESCAPE) break;
      at++;
    }
    key[length++] = byte;
  }
  const index = unpackIndex(physical.subarray(at + 1));
  return index === null ? null : { key: key.subarray(0, length), index };
}

function unpackIndex(packed: Buffer): number | null {
  const bytes = (packed[0] ?? 0) - INTEGER_ZERO;
  if (bytes < 0 || bytes > INTEGER_BYTES_MAX || packed.length !== bytes + 1) return null;
  return bytes === 0 ? 0 : packed.readUIntBE(1, bytes);
}
