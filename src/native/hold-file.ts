// A file that this process holds against all others for as long as it lives.
import { addon } from "./addon.ts";

/** Where the held file lies ("DEVICE:INODE"), or what the process that holds it already wrote into it. */
export type Held = { readonly identity: string } | { readonly heldBy: string };

/**
 * Locks a file (flock; made 0600 when it is missing) until the process ends, and replaces its text. Throws an Error with `code`, such as
 * EACCES or ENOSPC, when it cannot be opened.
 */
export const holdFile = (addon as { holdFile(fileName: string, text: string): Held }).holdFile;
