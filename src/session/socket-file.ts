// The Unix socket's file: created for its owner alone, replaced when stale, never taken from a living sidecar.
import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import net from "node:net";
import path from "node:path";

/** Why a sidecar cannot listen, with a hint. */
class SocketError extends Error {
  override readonly name = "SocketError";
  readonly code: "socket-in-use" | "socket-not-a-socket" | "socket-failed";
  readonly hint: string;

  constructor(code: SocketError["code"], message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}

/** The longest path that fits into a socket address. */
const PATH_BYTES_MAX = 107;

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socketPath);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

/** Removes a socket file nobody listens on; refuses to touch one that is alive, or anything that is no socket. */
async function removeStale(socketPath: string): Promise<void> {
  const found = await lstat(socketPath).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") {
      return null;
    }
    throw error;
  });
  if (found === null) {
    return;
  }
  if (!found.isSocket()) {
    throw new SocketError("socket-not-a-socket", `${socketPath} exists and is no socket`, "choose another path with --socket");
  }
  if (await answers(socketPath)) {
    throw new SocketError(
      "socket-in-use",
      `a sidecar is listening on ${socketPath} already`,
      "stop it first, or choose another path with --socket",
    );
  }
  await unlink(socketPath);
}

/** Listens on `socketPath`, mode 0600, in a folder made 0700 when it is missing. */
export async function listen(server: net.Server, socketPath: string): Promise<void> {
  if (Buffer.byteLength(socketPath) > PATH_BYTES_MAX) {
    throw new SocketError(
      "socket-failed",
      `${socketPath} is too long for a socket`,
      `at most ${PATH_BYTES_MAX} bytes; choose a shorter path`,
    );
  }
  try {
    await mkdir(path.dirname(socketPath), { recursive: true, mode: 0o700 });
    await removeStale(socketPath);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      // The file is born with the mode the mask leaves it: no moment in which others could connect.
      const mask = process.umask(0o177);
      server.listen({ path: socketPath, backlog: 4096 }, () => {
        server.off("error", reject);
        resolve();
      });
      process.umask(mask);
    });
    await chmod(socketPath, 0o600);
  } catch (error) {
    if (error instanceof SocketError) {
      throw error;
    }
    const text = error instanceof Error ? error.message : String(error);
    throw new SocketError(
      "socket-failed",
      `cannot listen on ${socketPath}: ${text}`,
      "check the folder and its owner, or choose another path with --socket",
      error,
    );
  }
}
