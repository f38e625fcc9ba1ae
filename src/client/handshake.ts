// The first five steps of every connection: text blocks that agree on a version and a ship (docs/protocol.md, "Handshake").
import { connect, type Socket } from "node:net";
import { ConnectionError } from "./errors.ts";

const TEXT_BLOCK_BYTES_MAX = 128;
const VERSION = "1";
/** `sun_path` of Linux holds 108 bytes with its NUL; Node cuts longer paths off without a word. */
const SOCKET_PATH_BYTES_MAX = 107;

/** A connection on which the next byte, in both directions, belongs to a frame. */
export interface Welcomed {
  readonly socket: Socket;
  /** The greatest event id `WELCOME` named, a hint only. */
  readonly welcomeId: bigint | null;
  /** Bytes of frames that came together with `WELCOME`. */
  readonly rest: Buffer;
}

function cannotConnect(socketPath: string, cause: unknown): ConnectionError {
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "there is no such socket",
    ECONNREFUSED: "nobody answers on this socket",
    EACCES: "this user may not use the socket",
    ENOTSOCK: "this is not a socket",
  };
  const hint =
    code === "EACCES"
      ? "run the command as the user that runs the sidecar"
      : "start the sidecar with `seguro serve`, or name its socket with --socket or $SEGURO_SOCKET";
  return new ConnectionError(
    "cannot-connect",
    `cannot connect to ${socketPath}: ${reasons[code] ?? (cause as Error).message}`,
    hint,
    cause,
  );
}

function openSocket(socketPath: string): Promise<Socket> {
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES_MAX) {
    const text = `the socket's path has more than ${SOCKET_PATH_BYTES_MAX} bytes: ${socketPath}`;
    throw new ConnectionError("cannot-connect", text, "choose a shorter path: the system cannot hold longer ones");
  }
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const refuse = (error: Error): void => reject(cannotConnect(socketPath, error));
    socket.once("error", refuse);
    socket.once("connect", () => {
      socket.removeListener("error", refuse);
      resolve(socket);
    });
  });
}

/** Reads NUL-terminated blocks from a paused socket; what follows the last block stays for the frames. */
class TextBlocks {
  readonly #socket: Socket;
  readonly #socketPath: string;
  #held: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, socketPath: string) {
    this.#socket = socket;
    this.#socketPath = socketPath;
  }

  /** The next block without its NUL; `gone` is what to say when the server closes instead. */
  async next(gone: () => ConnectionError): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf(0);
      if (end >= 0 && end < TEXT_BLOCK_BYTES_MAX) {
        const block = this.#held.toString("latin1", 0, end);
        this.#held = this.#held.subarray(end + 1);
        return block;
      }
      if (this.#held.length >= TEXT_BLOCK_BYTES_MAX) {
        throw notASidecar(this.#socketPath);
      }
      this.#held = Buffer.concat([this.#held, await this.#chunk(gone)]);
    }
  }

  rest(): Buffer {
    return this.#held;
  }

  #chunk(gone: () => ConnectionError): Promise<Buffer> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        socket.pause();
        socket.removeListener("data", onData);
        socket.removeListener("close", onClose);
        socket.removeListener("error", onError);
        socket.removeListener("timeout", onTimeout);
        settle();
      };
      const onData = (chunk: Buffer): void => finish(() => resolve(chunk));
      const onClose = (): void => finish(() => reject(gone()));
      // The "close" that follows every error settles this; the listener only keeps the error from ending the process.
      const onError = (): void => undefined;
      const onTimeout = (): void => {
        const text = `the sidecar at ${this.#socketPath} does not answer`;
        finish(() => reject(new ConnectionError("cannot-connect", text, "it may be overloaded or stopped (SIGSTOP); look at its log")));
      };
      socket.on("data", onData);
      socket.on("close", onClose);
      socket.on("error", onError);
      socket.on("timeout", onTimeout);
      if (socket.destroyed) {
        onClose();
        return;
      }
      socket.resume();
    });
  }
}

function notASidecar(socketPath: string): ConnectionError {
  return new ConnectionError(
    "not-a-sidecar",
    `what listens at ${socketPath} is not a Seguro sidecar`,
    "check the path given with --socket",
  );
}

async function shake(socket: Socket, socketPath: string, ship: string): Promise<Welcomed> {
  const blocks = new TextBlocks(socket, socketPath);
  const refused = (): ConnectionError =>
    new ConnectionError(
      "turned-away",
      `the sidecar at ${socketPath} closed the connection before it said a word`,
      "only the sidecar's own user, and those its configuration names, may connect; its log says why it closed",
    );
  const offered = await blocks.next(refused);
  const words = offered.split(" ");
  if (words[0] !== "SEGURO") {
    throw notASidecar(socketPath);
  }
  if (!words.includes(VERSION, 1)) {
    const text = `the sidecar at ${socketPath} offers "${offered}", not version ${VERSION}`;
    throw new ConnectionError("not-a-sidecar", text, "use a seguro command of the sidecar's version");
  }
  socket.write(`HELLO ${VERSION}\0`);
  if ((await blocks.next(refused)) !== `IDENTIFY ${VERSION}`) {
    throw notASidecar(socketPath);
  }
  socket.write(`POINT ${ship}\0`);
  const welcome = await blocks.next(
    () =>
      new ConnectionError(
        "turned-away",
        `the sidecar at ${socketPath} closed the connection when asked for ${ship === "-" ? "administration" : ship}`,
        "the name must be a ship's, and this user must be allowed to use it; the sidecar's log says why it closed",
      ),
  );
  const [word, name, id] = welcome.split(" ");
  if (word !== "WELCOME" || name !== ship || (id !== undefined && !/^\d{1,19}$/.test(id))) {
    throw notASidecar(socketPath);
  }
  return { socket, welcomeId: id === undefined ? null : BigInt(id), rest: blocks.rest() };
}

/** Connects and shakes hands for version 1. `ship` is a `@p`, or null for administration. The socket comes back paused. */
export async function welcome(socketPath: string, ship: string | null, timeoutMs: number): Promise<Welcomed> {
  const socket = await openSocket(socketPath);
  socket.setTimeout(timeoutMs);
  try {
    const welcomed = await shake(socket, socketPath, ship ?? "-");
    socket.setTimeout(0);
    return welcomed;
  } catch (error) {
    socket.on("error", () => undefined);
    socket.destroy();
    throw error;
  }
}
