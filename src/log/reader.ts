// Reads a log's acknowledged events as one checked record stream, from any event on, whatever blocks and pieces they lie in.
import { type Assembled, type Assembler, AssemblerStatus, createAssembler } from "../native/assembler.ts";
import { unpackBlocks } from "../native/unpack.ts";
import { shipBytes } from "../ship.ts";
import type { StoreError } from "../store/errors.ts";
import type { Kv, Rows } from "../store/kv.ts";
import { keys, kindByte, type LogName } from "../store/layout.ts";
import { EVENT_BYTES_MAX } from "../wire/constants.ts";
import { type BlockHeader, decodeBlockHeader, lastIdOf } from "./block.ts";
import { logDamaged } from "./errors.ts";
import { PIECE_BYTES, READ_BYTES, READ_SLACK_BYTES, REMOTE_READ_BYTES } from "./limits.ts";
import { splitRunAt } from "./runs.ts";

/** Memory that waits to be used again by one read: as many items as are under way at once. */
const SPARE_MAX = 4;

/** The next bytes of the record stream. A large event comes as several items, all but the last of which complete no event. */
export interface ReadItem {
  readonly bytes: Buffer;
  /** Events completed by these bytes, and the last of them (or the last before them). */
  readonly count: number;
  readonly lastId: bigint;
  /** What `recycle` takes back; null where the memory is the item's own. */
  readonly memory: Buffer | null;
}

interface OpenManifest {
  readonly header: BlockHeader;
  readonly assembler: Assembler;
  nextPiece: number;
}

/** A cursor over one log. One call of `next` at a time. */
export class RecordReader {
  readonly #kv: Kv;
  readonly #name: LogName;
  readonly #shipBytes: Buffer;
  readonly #readBytes: number;
  #nextId: bigint;
  #through: bigint;
  /** True once the cursor stands at the first event of a block, so that the next range may start at its key. */
  #atBlock = false;
  #manifest: OpenManifest | null = null;
  #recycles = false;
  #spare: Buffer[] = [];

  /** Reads from `from` (which must not lie below the log's base) through `through`, both of which must be acknowledged events. */
  constructor(kv: Kv, name: LogName, from: bigint, through: bigint) {
    this.#kv = kv;
    this.#name = name;
    this.#shipBytes = shipBytes(name.ship.number);
    this.#readBytes = kv.shared ? REMOTE_READ_BYTES : READ_BYTES;
    this.#nextId = from;
    this.#through = through;
  }

  /** The event the next item begins with (or continues). */
  get nextId(): bigint {
    return this.#nextId;
  }

  /** True when the next event is the first of a block, as far as is known. */
  get atBlock(): boolean {
    return this.#atBlock && this.#manifest === null;
  }

  /** Lets the reader go on to a later event: a tail. */
  extend(through: bigint): void {
    this.#through = through > this.#through ? through : this.#through;
  }

  /**
   * From now on items may lie in memory that is used again: the caller gives each one back with `recycle`. A long read then allocates a few
   * buffers in all, instead of one a block, which the garbage collector would have to run after.
   */
  useRecycling(): void {
    this.#recycles = true;
  }

  /** The item's bytes are needed no longer. */
  recycle(item: ReadItem): void {
    if (item.memory !== null && this.#spare.length < SPARE_MAX) {
      this.#spare.push(item.memory);
    }
  }

  /** The next item, or null when everything through the bound was given. Throws `store-damaged` where a check fails. */
  async next(): Promise<ReadItem | null> {
    for (;;) {
      if (this.#manifest !== null) {
        const item = await this.#nextOfManifest(this.#manifest);
        if (item !== null) {
          return item;
        }
        continue;
      }
      if (this.#nextId > this.#through) {
        return null;
      }
      const item = await this.#nextOfBlocks();
      if (item !== null) {
        return item;
      }
    }
  }

  async #nextRows(into: Buffer | null): Promise<Rows> {
    const blocks = keys.blocks(this.#name);
    if (this.#atBlock) {
      const to = keys.block(this.#name, this.#through + 1n);
      return this.#kv.range(keys.block(this.#name, this.#nextId), to, { limitBytes: this.#readBytes, ...(into !== null && { into }) });
    }
    return this.#kv.range(blocks, keys.block(this.#name, this.#nextId + 1n), { limitRows: 1, limitBytes: 1, reverse: true });
  }

  async #nextOfBlocks(): Promise<ReadItem | null> {
    // Only once it stands at a block: a short read, which needs no more than that block, stays small.
    const memory =
      this.#recycles && this.#atBlock ? (this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#readBytes + READ_SLACK_BYTES)) : null;
    const rows = await this.#nextRows(memory);
    if (rows.count === 0) {
      throw this.#damaged(`no block holds event ${this.#nextId}`);
    }
    const unpacked = await unpackBlocks(rows.bytes, {
      shipBytes: this.#shipBytes,
      kind: kindByte(this.#name.ship.kind),
      log: this.#name.log,
      fromId: this.#nextId,
      throughId: this.#through,
      nextId: this.#nextId,
    });
    if (unpacked.count > 0) {
      this.#nextId = unpacked.lastId + 1n;
      this.#atBlock = true;
      return { bytes: unpacked.bytes, count: unpacked.count, lastId: unpacked.lastId, memory };
    }
    if (unpacked.stop === "manifest" && unpacked.manifest !== null) {
      this.#openManifest(decodeBlockHeader(unpacked.manifest));
      return null;
    }
    throw this.#damaged(unpacked.stop === "end" ? `no block holds event ${this.#nextId}` : unpacked.reason);
  }

  #openManifest(header: BlockHeader): void {
    if (header.firstId > this.#nextId || lastIdOf(header) < this.#nextId) {
      throw this.#damaged(`the manifest at event ${header.firstId} does not hold event ${this.#nextId}`);
    }
    const assembler = createAssembler({ runBytes: READ_BYTES, pieceBytes: PIECE_BYTES, eventBytesMax: EVENT_BYTES_MAX });
    assembler.expect(header.firstId);
    this.#manifest = { header, assembler, nextPiece: 0 };
  }

  async #nextOfManifest(open: OpenManifest): Promise<ReadItem | null> {
    for (let taken = open.assembler.take(); taken !== null; taken = open.assembler.take()) {
      const item = this.#within(taken);
      if (item !== null) {
        return item;
      }
    }
    if (open.nextPiece === open.header.manifest?.pieces || this.#nextId > this.#through) {
      this.#closeManifest(open);
      return null;
    }
    const key = keys.piece(this.#name, open.header.firstId, open.header.manifest?.stagedEpoch ?? 0n, open.nextPiece);
    const piece = await this.#kv.get(key);
    if (piece === null || open.assembler.push(piece) !== AssemblerStatus.OK) {
      throw this.#damaged(`piece ${open.nextPiece} of the events from ${open.header.firstId} is missing or fails its checks`);
    }
    open.nextPiece++;
    return null;
  }

  #closeManifest(open: OpenManifest): void {
    const lastId = lastIdOf(open.header);
    if (this.#nextId <= lastId && this.#nextId <= this.#through) {
      throw this.#damaged(`the pieces of the events from ${open.header.firstId} end at event ${this.#nextId - 1n}, before ${lastId}`);
    }
    this.#manifest = null;
    this.#atBlock = this.#nextId === lastId + 1n;
  }

  /** What of an assembled item lies in the range asked for. */
  #within(taken: Assembled): ReadItem | null {
    if ("large" in taken) {
      const { id, bytes, last } = taken.large;
      if (id < this.#nextId || id > this.#through) {
        return null;
      }
      if (last) {
        this.#nextId = id + 1n;
      }
      return { bytes, count: last ? 1 : 0, lastId: last ? id : id - 1n, memory: null };
    }
    let { run } = taken;
    if (run.firstId < this.#nextId) {
      const rest = splitRunAt(run, this.#nextId).from;
      if (rest === null) {
        return null;
      }
      run = rest;
    }
    const kept = splitRunAt(run, this.#through + 1n).before;
    if (kept === null) {
      return null;
    }
    this.#nextId = kept.lastId + 1n;
    return { bytes: kept.bytes, count: kept.count, lastId: kept.lastId, memory: null };
  }

  #damaged(reason: string): StoreError {
    return logDamaged(this.#name, reason);
  }
}

/** The header of the block that holds event `id`, or null when no block begins at or below it. */
export async function headerAt(kv: Kv, name: LogName, id: bigint): Promise<BlockHeader | null> {
  const rows = await kv.range(keys.blocks(name), keys.block(name, id + 1n), { limitRows: 1, limitBytes: 1, reverse: true });
  if (rows.count === 0) {
    return null;
  }
  const keyEnd = 8 + rows.bytes.readUInt32LE(0);
  return decodeBlockHeader(rows.bytes.subarray(keyEnd));
}
