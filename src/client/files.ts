// An epoch's files through a session: pieces out several at a time, pieces in one after the other.
import { FILE_PIECE_BYTES, Frame } from "../wire/constants.ts";
import { decodeFileIs, encodeFileGet, encodeFilePut } from "../wire/flows.ts";
import type { Connection } from "./connection.ts";

/** Pieces under way at once: the server makes one durable while the next travel. */
const PIECES_IN_FLIGHT = 4;

/** Where a file's bytes come from. */
export interface FileSource {
  readonly totalBytes: number;
  /** Exactly so many bytes from `offset` on. */
  read(offset: number, lengthBytes: number): Promise<Buffer>;
}

/** A file held in memory. */
export function bufferSource(bytes: Buffer): FileSource {
  return { totalBytes: bytes.length, read: (offset, lengthBytes) => Promise.resolve(bytes.subarray(offset, offset + lengthBytes)) };
}

/** Puts a file; it appears, or replaces the one before it, when this resolves. `onBytes` hears how many bytes are durable. */
export async function putFile(
  connection: Connection,
  base: bigint,
  name: string,
  source: FileSource,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  const { totalBytes } = source;
  const underWay: Promise<void>[] = [];
  const settle = async (most: number): Promise<void> => {
    while (underWay.length > most) {
      await underWay.shift();
    }
  };
  for (let offset = 0; offset === 0 || offset < totalBytes; offset += FILE_PIECE_BYTES) {
    const data = await source.read(offset, Math.min(FILE_PIECE_BYTES, totalBytes - offset));
    const piece = { base, offset: BigInt(offset), totalBytes: BigInt(totalBytes), name, data };
    const call = connection.call(
      Frame.OK,
      (request) => encodeFilePut(request, piece),
      () => onBytes?.(offset + data.length),
    );
    // Awaited in order below; the handler here only keeps a failure that comes while an earlier one is awaited from counting as unhandled.
    call.catch(() => undefined);
    underWay.push(call);
    await settle(PIECES_IN_FLIGHT - 1);
  }
  await settle(0);
}

/** A file's bytes, piece by piece. Rejects with `no-such-file` when there is none. */
export async function* getFile(connection: Connection, base: bigint, name: string): AsyncGenerator<Buffer, void, void> {
  for (let offset = 0n; ; ) {
    const get = { base, offset, mostBytes: FILE_PIECE_BYTES, name };
    const { totalBytes, data } = await connection.call(Frame.FILE_IS, (request) => encodeFileGet(request, get), decodeFileIs);
    if (data.length > 0) {
      yield data;
    }
    offset += BigInt(data.length);
    if (offset >= totalBytes || data.length === 0) {
      return;
    }
  }
}
