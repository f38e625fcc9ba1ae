// Files of Vere's epochs (snapshots and their notes), stored in pieces under an upload number and made visible by their record.
import { crc32c } from "../native/checksum.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv, Write } from "../store/kv.ts";
import { afterPrefix, encodeRecord, type FileRecord, keys, type LogName } from "../store/layout.ts";
import { EPOCH_FILES, FILE_PIECE_BYTES } from "../wire/constants.ts";
import { SeguroError } from "../wire/errors.ts";
import { getFile, requireEpoch } from "./meta.ts";
import type { Writer } from "./writer.ts";

export interface FilePiece {
  readonly base: bigint;
  readonly name: string;
  readonly offset: bigint;
  readonly totalBytes: bigint;
  readonly data: Buffer;
}

function badFile(text: string): SeguroError {
  return new SeguroError("bad-file", text, "see docs/protocol.md, FILE_PUT");
}

/** One file on its way in; a session has at most one at a time. */
export class Upload {
  readonly #kv: Kv;
  readonly #writer: Writer;
  readonly #base: bigint;
  readonly #name: string;
  readonly #totalBytes: bigint;
  readonly #number: bigint;
  #offset = 0n;
  #pieces = 0;
  #crc = 0;

  private constructor(kv: Kv, writer: Writer, first: FilePiece, number: bigint) {
    this.#kv = kv;
    this.#writer = writer;
    this.#base = first.base;
    this.#name = first.name;
    this.#totalBytes = first.totalBytes;
    this.#number = number;
  }

  /** Begins an upload with its first piece, which is then given to `add`. `serial` must be new under the writer's claim. */
  static async begin(kv: Kv, writer: Writer, first: FilePiece, serial: number): Promise<Upload> {
    if (!EPOCH_FILES.some((name) => name === first.name)) {
      throw badFile(`"${first.name.slice(0, 40)}" is no file of an epoch (${EPOCH_FILES.join(", ")})`);
    }
    await requireEpoch(kv, writer.claim.log.name, first.base);
    return new Upload(kv, writer, first, (writer.claim.epoch << 24n) | BigInt(serial));
  }

  /** Stores the next piece; resolves when it is durable. True when it was the last one and the file is there. */
  async add(piece: FilePiece): Promise<boolean> {
    const same = piece.base === this.#base && piece.name === this.#name && piece.totalBytes === this.#totalBytes;
    if (!same || piece.offset !== this.#offset) {
      throw badFile("a piece does not continue the file that was begun");
    }
    const left = this.#totalBytes - piece.offset;
    const last = left <= BigInt(FILE_PIECE_BYTES);
    if (BigInt(piece.data.length) !== (last ? left : BigInt(FILE_PIECE_BYTES))) {
      throw badFile(`a piece of ${piece.data.length} bytes; all but the last have ${FILE_PIECE_BYTES}, and the last ends the file`);
    }
    const { name } = this.#writer.claim.log;
    const writes: Write[] = [
      { kind: "put", key: keys.filePiece(name, this.#base, this.#number, this.#pieces), value: [piece.data] },
      // Marks the pieces as leftovers until the file's record is there: the next claim clears them.
      { kind: "put", key: keys.upload(name, this.#base, this.#number), value: [Buffer.from("{}")] },
    ];
    this.#crc = crc32c(piece.data, this.#crc);
    this.#offset += BigInt(piece.data.length);
    this.#pieces++;
    if (last) {
      writes.push(...(await this.#finish()));
    }
    await this.#writer.commitAside(writes, piece.data.length);
    return last;
  }

  async #finish(): Promise<Write[]> {
    const { name } = this.#writer.claim.log;
    const record: FileRecord = {
      bytes: Number(this.#totalBytes),
      crc32c: this.#crc,
      pieces: this.#pieces,
      upload: this.#number.toString(),
    };
    const writes: Write[] = [
      { kind: "put", key: keys.file(name, this.#base, this.#name), value: [encodeRecord(record)] },
      { kind: "delete", key: keys.upload(name, this.#base, this.#number) },
    ];
    const old = await getFile(this.#kv, name, this.#base, this.#name);
    if (old !== null) {
      const pieces = keys.filePieces(name, this.#base, BigInt(old.upload));
      writes.push({ kind: "delete-range", from: pieces, to: afterPrefix(pieces) });
    }
    return writes;
  }
}

/** At most `mostBytes` of a file from `offset` on, possibly fewer; empty at its end. */
export async function readFile(
  kv: Kv,
  name: LogName,
  base: bigint,
  file: string,
  offset: bigint,
  mostBytes: number,
): Promise<{ totalBytes: bigint; data: Buffer }> {
  const record = await getFile(kv, name, base, file);
  if (record === null) {
    throw new SeguroError("no-such-file", `epoch 0i${base} has no ${file}`, "EPOCH_LIST names the files there are");
  }
  const totalBytes = BigInt(record.bytes);
  if (offset >= totalBytes) {
    return { totalBytes, data: Buffer.alloc(0) };
  }
  const index = Number(offset / BigInt(FILE_PIECE_BYTES));
  const piece = await kv.get(keys.filePiece(name, base, BigInt(record.upload), index));
  if (piece === null) {
    throw new StoreError("store-damaged", `piece ${index} of ${file} in epoch 0i${base} is missing`, "import the pier again");
  }
  const start = Number(offset % BigInt(FILE_PIECE_BYTES));
  return { totalBytes, data: piece.subarray(start, start + Math.min(mostBytes, FILE_PIECE_BYTES)) };
}
