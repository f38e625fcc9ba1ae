// `seguro repair STORE`: what is damaged in the commit log of a journal store; with --cut it is ended there, with --accept a ship goes on from there.
import type { Command } from "commander";
import { parseStoreUrl } from "../store/open.ts";
import { damageJson, damageText } from "./damage.ts";
import { CliError, Exit, type ExitCode, usageError } from "./failure.ts";
import type { Output, OutputOptions } from "./output.ts";
import { type KindOptions, kindOf } from "./ships.ts";
import { addVerb, run, withKind } from "./verb.ts";

type RepairOptions = OutputOptions & KindOptions & { readonly cut?: boolean; readonly accept?: boolean };

function folderOf(store: string): string {
  const parsed = parseStoreUrl(store);
  if (parsed.engine !== "journal") {
    throw usageError(`${store} has no commit log to repair`, "only journal:DIR has one; other stores are restored from a backup");
  }
  return parsed.dir;
}

async function repair(store: string, ships: readonly string[], options: RepairOptions, output: Output): Promise<ExitCode> {
  const dir = folderOf(store);
  const { accept, cut, look } = await import("./repair-work.ts");
  if (options.accept === true) {
    if (options.cut === true || ships.length === 0) {
      throw usageError("--accept needs ships and goes without --cut", "look at each ship by itself: seguro repair STORE --accept SHIP");
    }
    return accept(store, ships, kindOf(options), output);
  }
  if (ships.length > 0) {
    throw usageError("ships are for --accept: the commit log is that of all ships", "leave them out, or give --accept");
  }
  const found = await look(dir);
  if (found === null) {
    if (options.cut === true) {
      throw new CliError(
        "no-damage",
        `the commit log of ${store} is not damaged: nothing was cut`,
        "`seguro verify SHIP` checks a log",
        Exit.REFUSED,
      );
    }
    output.result({ store, damage: null }, () => `${store}: the commit log is whole\n`);
    return Exit.OK;
  }
  if (options.cut === true) {
    return cut(dir, found, output);
  }
  output.result({ store, cut: false, ...damageJson(found) }, () => damageText(found));
  output.warn("nothing was changed. Keep a copy of the folder. If there is no better copy of the store, --cut ends its commit log there");
  return Exit.DAMAGE;
}

export function addRepair(program: Command): void {
  withKind(
    addVerb(program, "repair <store> [ships...]", "show the damage in a journal store's commit log, or go on without what is damaged"),
  )
    .option("--cut", "end the commit log before the damage, for good; what is left out is kept beside it")
    .option("--accept", "open these ships' logs after a cut, as they are: their piers are not ahead of them")
    .action((store: string, ships: string[], options: RepairOptions) => run(options, (output) => repair(store, ships, options, output)));
}
