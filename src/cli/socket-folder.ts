// The default socket's folder must be its user's own: below /tmp another user could have made it first, and would read every event.
import { lstatSync } from "node:fs";
import path from "node:path";
import { CliError } from "./failure.ts";

const OTHERS_WRITE_MODE = 0o022;

/** Throws a `CliError` if somebody else than this user (or root) owns the folder or may write in it. A missing one is fine. */
export function checkSocketFolder(socketPath: string): void {
  const folder = path.dirname(socketPath);
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) {
    return;
  }
  const foreign = !stat.isDirectory() || (stat.uid !== process.getuid?.() && stat.uid !== 0);
  if (foreign || (stat.mode & OTHERS_WRITE_MODE) !== 0) {
    const why = foreign ? `belongs to user ${stat.uid}` : "can be written by other users";
    throw new CliError(
      "unsafe-folder",
      `the socket's folder ${folder} ${why}`,
      "name a socket in a folder of your own with --socket, or take the others' rights away with `chmod 700`",
    );
  }
}
