// `seguro serve`: its options; the work is loaded only when it is asked for, so that the other verbs start quickly.
import type { Command } from "commander";
import { LOG_LEVELS } from "../operate/log-levels.ts";
import type { ServeOptions } from "./serve-work.ts";
import { addVerb, run, withSocket } from "./verb.ts";

export function addServe(program: Command): void {
  withSocket(addVerb(program, "serve", "run the sidecar"))
    .option(
      "--store <url>",
      "where logs are kept: lmdb:DIR, journal:DIR, memory: or foundationdb:[FILE][?prefix=PREFIX] (default: lmdb in the user's state folder)",
    )
    .option("--state <dir>", "where this sidecar remembers who it is, on stores that others share (default: in the user's state folder)")
    .option("--config <file>", "a TOML file (docs/cli.md)")
    .option("--ring-size <bytes>", "shared memory of a session, each direction: 65536 to 67108864 (default: 4194304)")
    .option("--no-ring", "no shared memory: every session stays on its socket")
    .option("--log-level <level>", LOG_LEVELS.join(", "))
    .action((options: ServeOptions) => run(options, async (output) => (await import("./serve-work.ts")).serve(options, output)));
}
