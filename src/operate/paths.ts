// Where things are by default: the socket in the user's runtime folder, the store and what a sidecar knows of itself in the user's state folder.
import { createHash } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import path from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that is set to something; the XDG rules count empty and relative values as not set. */
function absolute(value: string | undefined): string | null {
  return value !== undefined && path.isAbsolute(value) ? value : null;
}

/** `$SEGURO_SOCKET`, else `$XDG_RUNTIME_DIR/seguro/seguro.sock`, else a folder of this user's own under the system's temporary folder. */
export function defaultSocket(environment: Environment, uid: number): string {
  const named = environment.SEGURO_SOCKET;
  if (named !== undefined && named !== "") {
    return path.resolve(named);
  }
  const runtime = absolute(environment.XDG_RUNTIME_DIR);
  return runtime === null ? path.join(tmpdir(), `seguro-${uid}`, "seguro.sock") : path.join(runtime, "seguro", "seguro.sock");
}

/** `$XDG_STATE_HOME/seguro`, else `~/.local/state/seguro`. */
function userState(environment: Environment): string {
  return path.join(absolute(environment.XDG_STATE_HOME) ?? path.join(homedir(), ".local", "state"), "seguro");
}

/** `lmdb:$XDG_STATE_HOME/seguro/store`, else `lmdb:~/.local/state/seguro/store`. */
export function defaultStore(environment: Environment): string {
  return `lmdb:${path.join(userState(environment), "store")}`;
}

/**
 * Where the sidecar on this socket remembers which instance it is: the first folder of `$STATE_DIRECTORY` (which systemd sets), else one of its own in
 * the user's state folder, so that two sidecars of a user do not meet.
 */
export function defaultState(environment: Environment, socketPath: string): string {
  const given = absolute(environment.STATE_DIRECTORY?.split(":", 1)[0]);
  const name = createHash("sha256").update(path.resolve(socketPath)).digest("hex").slice(0, 16);
  return given ?? path.join(userState(environment), `sidecar-${name}`);
}
