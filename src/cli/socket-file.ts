// The socket's place in the file system: its folder made, a dead sidecar's socket cleared away, anything else left alone.
import { lstatSync, mkdirSync, type Stats, unlinkSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { CliError, Exit } from "./failure.ts";

const FOLDER_MODE = 0o700;
const OTHERS_WRITE_MODE = 0o022;
const STICKY_MODE = 0o1000;
const ANSWER_TIMEOUT_MS = 2000;

function statOf(file: string): Stats | null {
  return lstatSync(file, { throwIfNoEntry: false }) ?? null;
}

/** Makes the folder, or checks that nobody else could put another socket in this one's place. */
function prepareFolder(folder: string, ownUid: number): void {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const stat = statOf(folder);
  if (stat === null || !stat.isDirectory()) {
    throw new CliError("bad-folder", `the socket's folder ${folder} is not a folder`, "name another place with --socket");
  }
  const foreign = stat.uid !== ownUid && stat.uid !== 0;
  const open = (stat.mode & OTHERS_WRITE_MODE) !== 0 && (stat.mode & STICKY_MODE) === 0;
  if (foreign || open) {
    const why = foreign ? `belongs to uid ${stat.uid}` : "may be written by others";
    throw new CliError(
      "unsafe-folder",
      `the socket's folder ${folder} ${why}`,
      "name a socket in a folder of your own with --socket, or `chmod 700` it",
    );
  }
}

/** Whether somebody accepts connections there. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const finish = (settle: () => void): void => {
      socket.destroy();
      settle();
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS);
    socket.once("connect", () => finish(() => resolve(true)));
    // A full backlog is somebody too.
    socket.once("timeout", () => finish(() => resolve(true)));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const dead = error.code === "ECONNREFUSED" || error.code === "ENOENT";
      const alive = error.code === "EAGAIN";
      finish(() => (dead || alive ? resolve(alive) : reject(error)));
    });
  });
}

/**
 * Makes the path free to listen on. A socket that nobody answers on is removed; a live one, or anything that is not a socket, is refused
 * with a `CliError`.
 */
export async function prepareSocketPath(socketPath: string, ownUid: number): Promise<void> {
  prepareFolder(path.dirname(socketPath), ownUid);
  const stat = statOf(socketPath);
  if (stat === null) {
    return;
  }
  if (!stat.isSocket()) {
    throw new CliError("not-a-socket", `${socketPath} exists and is not a socket; it was left alone`, "name another path with --socket");
  }
  if (await answers(socketPath)) {
    const hint = "stop that one first, or name another path with --socket; `seguro status` tells about it";
    throw new CliError("socket-busy", `another sidecar answers on ${socketPath}`, hint, Exit.REFUSED);
  }
  unlinkSync(socketPath);
}
