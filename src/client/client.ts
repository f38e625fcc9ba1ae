// A client of protocol 1: one session with a sidecar, every flow of it as a method (docs/protocol.md).
import { ADMIN_MORE, Frame, PING_BYTES_MAX, SCOPE_TOP } from "../wire/constants.ts";
import {
  decodeDigestIs,
  decodeEpochs,
  decodeMetaIs,
  decodeMetaListed,
  type EpochEntry,
  encodeMetaGet,
  encodeMetaPut,
  encodeU64,
  type MetaEntry,
} from "../wire/flows.ts";
import { encodeFrame } from "../wire/frames.ts";
import {
  type Batch,
  type DigestPair,
  decodeOpened,
  encodeOpen,
  type KindName,
  NO_DIGEST,
  type Opened,
  type RoleName,
} from "../wire/messages.ts";
import { Appending } from "./appending.ts";
import { Connection, type ConnectOptions } from "./connection.ts";
import { ConnectionError } from "./errors.ts";
import { type FileSource, getFile, putFile } from "./files.ts";
import { LogRead, type ReadOptions } from "./reading.ts";

const NOTHING: Buffer = Buffer.alloc(0);

export interface OpenOptions {
  readonly role: RoleName;
  /** Which of a real and a fake ship of the name; default whichever exists. */
  readonly kind?: KindName;
  /** An earlier log's number (role read); default the current one. */
  readonly log?: number;
  /** The last pair this client knows was acknowledged: the answer's verdict compares it. */
  readonly last?: DigestPair;
}

/** The answers of administration are JSON objects; their shapes are in docs/cli.md. */
export type AdminAnswer = Readonly<Record<string, unknown>>;

/**
 * A session. Every method rejects with a `SeguroError` (the sidecar refused) or a `ConnectionError` (the connection is gone); after a fatal
 * one all of them do. Calls may overlap.
 */
export class Client {
  readonly #connection: Connection;
  #appending: Appending | null = null;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Connects and shakes hands. `ship` is a `@p`, or null for administration. */
  static async connect(socketPath: string, ship: string | null, options: ConnectOptions = {}): Promise<Client> {
    return new Client(await Connection.open(socketPath, ship, options));
  }

  /** The greatest event id the handshake named: a hint; what `open` answers counts. */
  get welcomeId(): bigint | null {
    return this.#connection.welcomeId;
  }

  /** Why the session has ended, or null while it lives. */
  get failure(): Error | null {
    return this.#connection.failure;
  }

  /** The acknowledged height: from `open`, then risen by acknowledgements. */
  get height(): bigint {
    return this.#appending?.height ?? 0n;
  }

  /** The newest pair (id, digest) the server has named; it may trail the height. */
  get digestPair(): DigestPair {
    return this.#appending?.digest ?? NO_DIGEST;
  }

  /** Called with every acknowledged height. */
  set onHeight(listener: ((height: bigint) => void) | null) {
    this.#opened().onHeight = listener;
  }

  /** The session's first request: takes a role; `write` claims the ship. */
  open(options: OpenOptions): Promise<Opened> {
    return new Promise((resolve, reject) => {
      this.#connection.routeSession({
        frame: (header, body) => {
          if (header.type === Frame.OPENED && this.#appending === null) {
            const opened = decodeOpened(body);
            this.#appending = new Appending(this.#connection, opened.height, opened.digest);
            resolve(opened);
          } else if (header.type === Frame.HEIGHT) {
            this.#appending?.take(body);
          }
        },
        fail: (error) => {
          reject(error);
          this.#appending?.fail(error);
        },
      });
      const open = { role: options.role, kind: options.kind ?? "either", log: options.log ?? 0, last: options.last ?? NO_DIGEST };
      this.#connection.send(encodeOpen(open)).catch(reject);
    });
  }

  /**
   * Sends the next bytes of the record stream, from where they lie and in as many frames as they need; a record may end in a later call. Their length
   * must be a multiple of 8. Resolves when more may be sent (bounded memory), not when they are durable: that is `acknowledged`. The
   * bytes must not be changed before they are acknowledged.
   */
  append(records: Buffer): Promise<void> {
    return this.#opened().append(records);
  }

  /** Appends records that become visible and durable as a whole; `batch` announces exactly what the pieces hold. */
  appendAtomic(batch: Batch, pieces: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<void> {
    return this.#opened().appendAtomic(batch, pieces);
  }

  /** Resolves with the height once this event and all before it are durable. */
  acknowledged(id: bigint): Promise<bigint> {
    return this.#opened().acknowledged(id);
  }

  /** Starts a read (or a tail). */
  read(options: ReadOptions): LogRead {
    return new LogRead(this.#connection, options);
  }

  /** The digest of the log up to an event, `base - 1` to the height. */
  digest(id: bigint): Promise<DigestPair> {
    return this.#connection.call(Frame.DIGEST_IS, (request) => encodeU64(Frame.DIGEST, request, id), decodeDigestIs);
  }

  /** A value of Vere's META, or null. The scope is the base of an epoch, or `SCOPE_TOP` for the whole pier. */
  metaGet(scope: bigint, key: Uint8Array): Promise<Buffer | null> {
    return this.#connection.call(Frame.META_IS, (request) => encodeMetaGet(request, scope, key), decodeMetaIs);
  }

  metaPut(scope: bigint, entry: MetaEntry): Promise<void> {
    return this.#ok((request) => encodeMetaPut(request, scope, entry));
  }

  /** Every entry of a scope, in key order. */
  metaList(scope: bigint = SCOPE_TOP): Promise<MetaEntry[]> {
    return this.#connection.call(Frame.META_LISTED, (request) => encodeU64(Frame.META_LIST, request, scope), decodeMetaListed);
  }

  /** Declares an epoch; repeating it changes nothing. */
  epochPut(base: bigint): Promise<void> {
    return this.#ok((request) => encodeU64(Frame.EPOCH_PUT, request, base));
  }

  /** The epochs and their files. */
  epochs(): Promise<EpochEntry[]> {
    return this.#connection.call(Frame.EPOCHS, (request) => encodeFrame(Frame.EPOCH_LIST, request, NOTHING), decodeEpochs);
  }

  /** Puts an epoch's file; resolves when it is durable and has replaced the one before. */
  filePut(base: bigint, name: string, source: FileSource, onBytes?: (bytes: number) => void): Promise<void> {
    return putFile(this.#connection, base, name, source, onBytes);
  }

  /** An epoch's file, piece by piece. */
  fileGet(base: bigint, name: string): AsyncGenerator<Buffer, void, void> {
    return getFile(this.#connection, base, name);
  }

  /** Asks for trimming; refused with `trim-unsupported` for now. */
  trim(id: bigint): Promise<void> {
    return this.#ok((request) => encodeU64(Frame.TRIM, request, id));
  }

  /** A round trip; the answer holds the same bytes (at most 64). */
  ping(bytes: Buffer = NOTHING): Promise<Buffer> {
    if (bytes.length > PING_BYTES_MAX) {
      throw new RangeError(`a ping of ${bytes.length} bytes is above ${PING_BYTES_MAX}`);
    }
    return this.#connection.call(
      Frame.PONG,
      (request) => encodeFrame(Frame.PING, request, bytes),
      (body) => Buffer.from(body),
    );
  }

  /** An administrative verb; `onProgress` hears the answers before the last. */
  admin(question: Readonly<Record<string, unknown>>, onProgress?: (progress: AdminAnswer) => void): Promise<AdminAnswer> {
    return new Promise((resolve, reject) => {
      const request = this.#connection.route({
        frame: (header, body) => {
          const answer = JSON.parse(body.toString("utf8")) as AdminAnswer;
          if ((header.flags & ADMIN_MORE) !== 0) {
            onProgress?.(answer);
            return;
          }
          this.#connection.unroute(request);
          resolve(answer);
        },
        fail: reject,
      });
      this.#connection.send(encodeFrame(Frame.ADMIN, request, Buffer.from(JSON.stringify(question)))).catch(reject);
    });
  }

  /** Ends the session. Appends not yet acknowledged may or may not be stored. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  #ok(encode: (request: number) => Buffer): Promise<void> {
    return this.#connection.call(Frame.OK, encode, () => undefined);
  }

  #opened(): Appending {
    if (this.#appending === null) {
      throw this.failure ?? new ConnectionError("connection-closed", "the session was not opened", "call open first");
    }
    return this.#appending;
  }
}
