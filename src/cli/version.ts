// `seguro version`.
import type { Command } from "commander";
import { VERSION } from "../operate/version.ts";
import { Exit } from "./failure.ts";
import type { OutputOptions } from "./output.ts";
import { addVerb, run } from "./verb.ts";

const PROTOCOLS = [0, 1];

export function addVersion(program: Command): void {
  addVerb(program, "version", "show the version").action((options: OutputOptions) =>
    run(options, (output) => {
      output.result({ version: VERSION, protocols: PROTOCOLS, node: process.versions.node }, () => `seguro ${VERSION}\n`);
      return Promise.resolve(Exit.OK);
    }),
  );
}
