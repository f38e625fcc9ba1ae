// Where things are by default: the socket in the user's runtime folder, the store in the user's state folder.
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

/** `lmdb:$XDG_STATE_HOME/seguro/store`, else `lmdb:~/.local/state/seguro/store`. */
export function defaultStore(environment: Environment): string {
  const state = absolute(environment.XDG_STATE_HOME) ?? path.join(homedir(), ".local", "state");
  return `lmdb:${path.join(state, "seguro", "store")}`;
}
