// The short requests of a session: metadata, epochs and their files, digests. Worked off one after another, each with its answer.
import { digestAt } from "../log/digester.ts";
import { readFile, Upload } from "../log/files.ts";
import type { Log } from "../log/log.ts";
import { getMeta, listEpochs, listFiles, listMeta, putEpoch, putMeta } from "../log/meta.ts";
import type { Writer } from "../log/writer.ts";
import type { Kv } from "../store/kv.ts";
import { FILE_PIECE_BYTES, Frame } from "../wire/constants.ts";
import { SeguroError } from "../wire/errors.ts";
import {
  decodeFileGet,
  decodeFilePut,
  decodeMetaGet,
  decodeMetaPut,
  decodeU64,
  type EpochEntry,
  encodeDigestIs,
  encodeEpochs,
  encodeFileIs,
  encodeMetaIs,
  encodeMetaListed,
} from "../wire/flows.ts";
import { encodeFrame, type FrameHeader } from "../wire/frames.ts";
import { expectBytes } from "../wire/messages.ts";

const NOTHING = Buffer.alloc(0);

/** Requests that change something and therefore need the role `write`. */
const WRITING: ReadonlySet<number> = new Set([Frame.META_PUT, Frame.EPOCH_PUT, Frame.FILE_PUT, Frame.TRIM]);
const READING: ReadonlySet<number> = new Set([Frame.META_GET, Frame.META_LIST, Frame.EPOCH_LIST, Frame.FILE_GET, Frame.DIGEST]);

export function isRequest(type: number): boolean {
  return WRITING.has(type) || READING.has(type);
}

export class Requests {
  readonly #kv: Kv;
  readonly #log: Log;
  readonly #writer: Writer | null;
  #upload: Upload | null = null;
  #uploads = 0;

  /** `writer` is null in a session that may only read. */
  constructor(kv: Kv, log: Log, writer: Writer | null) {
    this.#kv = kv;
    this.#log = log;
    this.#writer = writer;
  }

  /** Works off one request and gives the frame that answers it. Throws a SeguroError or the store's error. */
  async answer(header: FrameHeader, body: Buffer): Promise<Buffer> {
    const { request, type } = header;
    if (WRITING.has(type)) {
      if (this.#writer === null) {
        throw new SeguroError("bad-role", "this session may not write", "open it with the role write");
      }
      await this.#write(this.#writer, type, body);
      return encodeFrame(Frame.OK, request, NOTHING);
    }
    return this.#read(request, type, body);
  }

  async #write(writer: Writer, type: number, body: Buffer): Promise<void> {
    switch (type) {
      case Frame.META_PUT: {
        const { scope, entry } = decodeMetaPut(body);
        return putMeta(this.#kv, writer, scope, entry);
      }
      case Frame.EPOCH_PUT:
        return putEpoch(this.#kv, writer, decodeU64(body, "EPOCH_PUT"));
      case Frame.FILE_PUT:
        return this.#putFile(writer, body);
      default:
        decodeU64(body, "TRIM");
        throw new SeguroError(
          "trim-unsupported",
          "trimming is not built yet",
          "the log stays whole; `seguro retire` and `forget` end whole logs",
        );
    }
  }

  async #putFile(writer: Writer, body: Buffer): Promise<void> {
    const piece = decodeFilePut(body);
    if (piece.offset === 0n) {
      this.#upload = await Upload.begin(this.#kv, writer, piece, ++this.#uploads);
    }
    if (this.#upload === null) {
      throw new SeguroError("bad-file", "a piece of a file that was not begun", "begin at offset 0");
    }
    if (await this.#upload.add(piece)) {
      this.#upload = null;
    }
  }

  async #read(request: number, type: number, body: Buffer): Promise<Buffer> {
    const { name, base, height } = this.#log;
    switch (type) {
      case Frame.META_GET: {
        const { scope, key } = decodeMetaGet(body);
        return encodeMetaIs(request, await getMeta(this.#kv, name, scope, key));
      }
      case Frame.META_LIST:
        return encodeMetaListed(request, await listMeta(this.#kv, name, decodeU64(body, "META_LIST")));
      case Frame.EPOCH_LIST:
        expectBytes(body, 0, "EPOCH_LIST");
        return encodeEpochs(request, await this.#epochs());
      case Frame.FILE_GET: {
        const get = decodeFileGet(body);
        const most = Math.min(get.mostBytes, FILE_PIECE_BYTES);
        const { totalBytes, data } = await readFile(this.#kv, name, get.base, get.name, get.offset, most);
        return encodeFileIs(request, totalBytes, data);
      }
      default: {
        const id = decodeU64(body, "DIGEST");
        if (base === 0n || id < base - 1n || id > height) {
          throw new SeguroError("no-such-event", `there is no digest at event ${id}`, `the log goes from ${base} to ${height}`, { id });
        }
        return encodeDigestIs(request, await digestAt(this.#kv, name, base, id));
      }
    }
  }

  async #epochs(): Promise<EpochEntry[]> {
    const [bases, files] = await Promise.all([listEpochs(this.#kv, this.#log.name), listFiles(this.#kv, this.#log.name)]);
    return bases.flatMap((base): EpochEntry[] => {
      const mine = files.filter((file) => file.base === base);
      if (mine.length === 0) {
        return [{ base, fileBytes: 0n, fileCrc: 0, name: "" }];
      }
      return mine.map(({ name, record }) => ({ base, fileBytes: BigInt(record.bytes), fileCrc: record.crc32c, name }));
    });
  }
}
