// One connection after the handshake: frames out with bounded memory, frames in by request number, and one reason when it ends.
import type { Socket } from "node:net";
import { FRAME_BODY_MAX, Frame } from "../wire/constants.ts";
import { encodeFrameHeader, type FrameHeader, FrameReader } from "../wire/frames.ts";
import { decodeError } from "../wire/messages.ts";
import { ConnectionError } from "./errors.ts";
import { type Welcomed, welcome } from "./handshake.ts";

/** Bytes handed to the socket and not yet taken by the kernel; above this a sender waits. */
const SEND_QUEUE_BYTES = 4 * 1_048_576;
/** After so many bytes a sender waits for the event loop's next turn, or one that never waits for the kernel would never hear an answer. */
const TURN_BYTES = 1_048_576;
const HANDSHAKE_TIMEOUT_MS = 30_000;

export interface ConnectOptions {
  /** How long the server may stay silent between the steps of the handshake. */
  readonly timeoutMs?: number;
}

/** Takes the frames that carry one request number. Bodies may be views of memory that is reused: decode before returning. */
export interface Route {
  frame(header: FrameHeader, body: Buffer): void;
  /** Pieces of RECORDS; each is the receiver's to keep. */
  piece?(piece: Buffer): void;
  /** An ERROR frame for this request, or the end of the connection. Called once, last. */
  fail(error: Error): void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  readonly socketPath: string;
  readonly welcomeId: bigint | null;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #routes = new Map<number, Route>();
  readonly #closed: Promise<void>;
  #sendWaiters: Waiter[] = [];
  #queuedBytes = 0;
  #turnBytes = 0;
  #lastRequest = 0;
  #failure: Error | null = null;

  private constructor(socketPath: string, welcomed: Welcomed) {
    this.socketPath = socketPath;
    this.welcomeId = welcomed.welcomeId;
    this.#socket = welcomed.socket;
    this.#reader = new FrameReader({
      streams: (type) => type === Frame.RECORDS,
      frame: (header, body) => this.#dispatch(header, body),
      piece: (header, piece) => this.#routes.get(header.request)?.piece?.(piece),
    });
    this.#closed = new Promise((resolve) => this.#socket.once("close", () => resolve()));
    this.#listen();
    if (welcomed.rest.length > 0) {
      this.#take(welcomed.rest);
    }
    this.#socket.resume();
  }

  /** Connects and shakes hands; `ship` is a `@p`, or null for administration. Rejects with a `ConnectionError`. */
  static async open(socketPath: string, ship: string | null, options: ConnectOptions = {}): Promise<Connection> {
    return new Connection(socketPath, await welcome(socketPath, ship, options.timeoutMs ?? HANDSHAKE_TIMEOUT_MS));
  }

  /** Why the connection has ended, or null while it lives. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Registers a route under a fresh request number. */
  route(route: Route): number {
    this.#throwIfEnded();
    do {
      this.#lastRequest = (this.#lastRequest + 1) >>> 0;
    } while (this.#lastRequest === 0 || this.#routes.has(this.#lastRequest));
    this.#routes.set(this.#lastRequest, route);
    return this.#lastRequest;
  }

  /** The route of frames that answer no request: OPENED, HEIGHT, and errors of the session. */
  routeSession(route: Route): void {
    this.#throwIfEnded();
    this.#routes.set(0, route);
  }

  unroute(request: number): void {
    this.#routes.delete(request);
  }

  /** Sends whole frames. Resolves when the caller may send more; the bytes must not change until then and some time after. */
  async send(...parts: readonly Buffer[]): Promise<void> {
    this.#throwIfEnded();
    this.#socket.cork();
    for (const part of parts) {
      this.#queuedBytes += part.length;
      this.#turnBytes += part.length;
      // A failed write is followed by "close", which says so to everybody who waits.
      this.#socket.write(part, (error) => (error ? undefined : this.#sent(part.length)));
    }
    this.#socket.uncork();
    if (this.#turnBytes > TURN_BYTES) {
      this.#turnBytes = 0;
      await new Promise((resolve) => setImmediate(resolve));
      this.#throwIfEnded();
    }
    if (this.#queuedBytes > SEND_QUEUE_BYTES) {
      await new Promise<void>((resolve, reject) => this.#sendWaiters.push({ resolve, reject }));
    }
  }

  /** Sends bytes as the bodies of as many frames as they need, from where they lie. Their length must be a multiple of 8. */
  async sendInPlace(type: number, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += FRAME_BODY_MAX) {
      const body = bytes.subarray(at, at + FRAME_BODY_MAX);
      await this.send(encodeFrameHeader(type, 0, body.length), body);
    }
  }

  /** One request with one answer of the type given. `decode` runs at once and must copy what it keeps. */
  call<Answer>(answerType: number, encode: (request: number) => Buffer, decode: (body: Buffer) => Answer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = this.route({
        frame: (header, body) => {
          if (header.type !== answerType) {
            throw this.#unexpected(header.type);
          }
          // Decoded before the route goes: when decoding throws, the connection fails and this call with it.
          const answer = decode(body);
          this.unroute(request);
          resolve(answer);
        },
        fail: reject,
      });
      this.send(encode(request)).catch(reject);
    });
  }

  /** Ends the connection; what was not yet acknowledged may or may not be stored. Resolves when the socket is closed. */
  close(): Promise<void> {
    this.#fail(new ConnectionError("connection-closed", "the connection was closed by this side", "connect again"));
    return this.#closed;
  }

  #listen(): void {
    let cause: Error | undefined;
    this.#socket.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#socket.on("error", (error) => {
      cause = error;
    });
    this.#socket.on("close", () => {
      const text = `the connection to the sidecar at ${this.socketPath} was lost`;
      this.#fail(
        new ConnectionError(
          "connection-lost",
          text,
          "see whether the sidecar still runs (its log says why it ended), then try again",
          cause,
        ),
      );
    });
  }

  #take(chunk: Buffer): void {
    if (this.#failure !== null) {
      return;
    }
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #dispatch(header: FrameHeader, body: Buffer): void {
    const route = this.#routes.get(header.request);
    if (header.type === Frame.ERROR) {
      const { error, fatal } = decodeError(body);
      // An error that answers no request concerns what was sent without one (appends): this side cannot go on as if nothing were.
      if (fatal || header.request === 0) {
        this.#fail(error);
        return;
      }
      this.#routes.delete(header.request);
      route?.fail(error);
      return;
    }
    if (route === undefined) {
      this.#fail(this.#unexpected(header.type));
      return;
    }
    route.frame(header, body);
  }

  #unexpected(type: number): ConnectionError {
    const text = `the sidecar at ${this.socketPath} sent a frame of type ${type} that nothing asked for`;
    return new ConnectionError(
      "not-a-sidecar",
      text,
      "its version may differ from this command's; compare `seguro version` with `seguro status`",
    );
  }

  #sent(lengthBytes: number): void {
    this.#queuedBytes -= lengthBytes;
    if (this.#queuedBytes <= SEND_QUEUE_BYTES && this.#sendWaiters.length > 0) {
      const waiters = this.#sendWaiters;
      this.#sendWaiters = [];
      for (const waiter of waiters) {
        waiter.resolve();
      }
    }
  }

  #throwIfEnded(): void {
    if (this.#failure !== null) {
      throw this.#failure;
    }
  }

  /** The first reason counts: everything that waits hears it. Returns that reason. */
  #fail(error: Error): Error {
    if (this.#failure !== null) {
      return this.#failure;
    }
    this.#failure = error;
    this.#socket.destroy();
    const waiting = [...this.#sendWaiters];
    this.#sendWaiters = [];
    const routes = [...this.#routes.values()];
    this.#routes.clear();
    for (const waiter of waiting) {
      waiter.reject(error);
    }
    for (const route of routes) {
      route.fail(error);
    }
    return error;
  }
}
