// Values cut into what FoundationDB takes as one value, and put together again. The first fragment begins with a head that says what there must be.
import { crc32c } from "../../native/checksum.ts";
import { unpackFragment } from "./tuple.ts";

const HEAD_VERSION = 1;
/** u8 version, u8 flags (0), u16 fragments, u32 bytes of the value, u32 CRC32C of the value; little-endian. */
const HEAD_BYTES = 12;

/** What is stored is not what was written; the reason, for the person who has to find out why. */
export class FragmentDamage extends Error {
  override readonly name = "FragmentDamage";
}

/** A newer Seguro wrote it, in a way that this one does not know. */
export class FragmentNewer extends Error {
  override readonly name = "FragmentNewer";
}

interface Head {
  readonly fragments: number;
  readonly valueBytes: number;
  readonly checksum: number;
}

function encodeHead(into: Buffer, head: Head): void {
  into.writeUInt8(HEAD_VERSION, 0);
  into.writeUInt8(0, 1);
  into.writeUInt16LE(head.fragments, 2);
  into.writeUInt32LE(head.valueBytes, 4);
  into.writeUInt32LE(head.checksum, 8);
}

function decodeHead(fragment: Buffer): Head {
  if (fragment.length < HEAD_BYTES) throw new FragmentDamage(`its first fragment has ${fragment.length} bytes, fewer than a head`);
  const [version, flags] = [fragment.readUInt8(0), fragment.readUInt8(1)];
  if (version === 0) throw new FragmentDamage("its head has version 0");
  if (version !== HEAD_VERSION || flags !== 0) throw new FragmentNewer(`a value's head has version ${version} and flags ${flags}`);
  const head = { fragments: fragment.readUInt16LE(2), valueBytes: fragment.readUInt32LE(4), checksum: fragment.readUInt32LE(8) };
  if (head.fragments === 0) throw new FragmentDamage("its head says that there are no fragments");
  return head;
}

/** The next `bytes` bytes of a value, walked from front to back; a view where they lie in one piece. */
class PieceWalk {
  readonly #pieces: readonly Uint8Array[];
  #piece = 0;
  #at = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
  }

  take(bytes: number): Buffer {
    const parts: Uint8Array[] = [];
    for (let missing = bytes; missing > 0; ) {
      const piece = this.#pieces[this.#piece] ?? new Uint8Array(missing);
      const part = piece.subarray(this.#at, this.#at + missing);
      if (part.length > 0) parts.push(part);
      missing -= part.length;
      this.#at += part.length;
      if (this.#at === piece.length) {
        this.#piece++;
        this.#at = 0;
      }
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? Buffer.from(only.buffer, only.byteOffset, only.length) : Buffer.concat(parts);
  }
}

/** The only fragment of a value that needs no more: what most commits write, while somebody waits. */
function wholeValue(pieces: readonly Uint8Array[], valueBytes: number): Buffer {
  const fragment = Buffer.allocUnsafe(HEAD_BYTES + valueBytes);
  let at = HEAD_BYTES;
  for (const piece of pieces) {
    fragment.set(piece, at);
    at += piece.length;
  }
  encodeHead(fragment, { fragments: 1, valueBytes, checksum: crc32c(fragment.subarray(HEAD_BYTES)) });
  return fragment;
}

/** The fragments of a value, each of at most `fragmentBytes`; views of the pieces where that is possible. */
export function cutValue(pieces: readonly Uint8Array[], fragmentBytes: number): Buffer[] {
  let valueBytes = 0;
  for (const piece of pieces) valueBytes += piece.length;
  if (HEAD_BYTES + valueBytes <= fragmentBytes) return [wholeValue(pieces, valueBytes)];
  let checksum = 0;
  for (const piece of pieces) checksum = crc32c(piece, checksum);
  const count = Math.max(1, Math.ceil((HEAD_BYTES + valueBytes) / fragmentBytes));
  const walk = new PieceWalk(pieces);
  const first = Buffer.allocUnsafe(Math.min(HEAD_BYTES + valueBytes, fragmentBytes));
  encodeHead(first, { fragments: count, valueBytes, checksum });
  walk.take(first.length - HEAD_BYTES).copy(first, HEAD_BYTES);
  const fragments: Buffer[] = [first];
  for (let left = valueBytes + HEAD_BYTES - first.length; left > 0; left -= fragmentBytes)
    fragments.push(walk.take(Math.min(left, fragmentBytes)));
  return fragments;
}

/** A logical row whose fragments are all there; its bytes are checked by `copyValue`. */
export interface StoredRow {
  readonly key: Buffer;
  readonly valueBytes: number;
  readonly checksum: number;
  /** From the first on, without the head. */
  readonly parts: readonly Buffer[];
}

/** All fragments of a value, in order. */
export function rowOf(key: Buffer, fragments: readonly Buffer[]): StoredRow {
  const [first = Buffer.alloc(0), ...rest] = fragments;
  const head = decodeHead(first);
  if (head.fragments !== fragments.length) throw new FragmentDamage(`it has ${fragments.length} of ${head.fragments} fragments`);
  const parts = [first.subarray(HEAD_BYTES), ...rest];
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (bytes !== head.valueBytes) throw new FragmentDamage(`it has ${bytes} of ${head.valueBytes} bytes`);
  return { key, valueBytes: bytes, checksum: head.checksum, parts };
}

/** Copies a row's value to its place and checks it there. */
export function copyValue(row: StoredRow, into: Buffer): void {
  let at = 0;
  for (const part of row.parts) at += part.copy(into, at);
  if (crc32c(into.subarray(0, at)) !== row.checksum) throw new FragmentDamage("its checksum is wrong");
}

/** Where a row that has begun stands. */
export interface Pending {
  readonly key: Buffer;
  /** In the order in which they came. */
  readonly fragments: readonly Buffer[];
  /** Fragments that have not come yet. */
  readonly missing: number;
  /** Bytes of the whole value; what is known of it, when read backwards. */
  readonly valueBytes: number;
}

/** A row in the making, from its first fragment on (or its last). */
interface Growing extends Pending {
  readonly fragments: Buffer[];
  missing: number;
}

/** Makes logical rows of physical ones, which come in key order or, when `reverse`, against it. */
export class RowAssembler {
  readonly #prefixBytes: number;
  readonly #reverse: boolean;
  #pending: Growing | null = null;

  constructor(prefixBytes: number, reverse: boolean) {
    this.#prefixBytes = prefixBytes;
    this.#reverse = reverse;
  }

  /** The row that has begun and is not whole yet. */
  get pending(): Pending | null {
    return this.#pending;
  }

  /** The same, for somebody else to complete: what is pushed next begins the next row. */
  detach(): Pending | null {
    const pending = this.#pending;
    this.#pending = null;
    return pending;
  }

  /** Takes the next physical row; gives the logical row that it completes. */
  push(physicalKey: Buffer, fragment: Buffer): StoredRow | null {
    const name = unpackFragment(physicalKey, this.#prefixBytes);
    if (name === null) throw new FragmentDamage(`the key ${physicalKey.toString("hex")} is none of this store's`);
    const pending = this.#pending ?? this.#begin(name.key, name.index, fragment);
    const expected = this.#reverse ? pending.missing - 1 : pending.fragments.length;
    if (!pending.key.equals(name.key)) throw this.#incomplete(pending);
    if (name.index !== expected) throw new FragmentDamage(`fragment ${expected} of ${name.key.toString("hex")} is missing`);
    pending.fragments.push(fragment);
    pending.missing--;
    this.#pending = pending.missing > 0 ? pending : null;
    if (pending.missing > 0) return null;
    return rowOf(pending.key, this.#reverse ? pending.fragments.reverse() : pending.fragments);
  }

  /** Nothing more comes: a row that is not whole by now is damaged. */
  end(): void {
    if (this.#pending !== null) throw this.#incomplete(this.#pending);
  }

  #begin(key: Buffer, index: number, fragment: Buffer): Growing {
    if (this.#reverse) return { key, fragments: [], missing: index + 1, valueBytes: fragment.length };
    if (index !== 0) throw new FragmentDamage(`fragment 0 of ${key.toString("hex")} is missing`);
    const head = decodeHead(fragment);
    return { key, fragments: [], missing: head.fragments, valueBytes: head.valueBytes };
  }

  #incomplete(pending: Pending): FragmentDamage {
    return new FragmentDamage(`${pending.missing} fragments of ${pending.key.toString("hex")} are missing`);
  }
}
