// `seguro forget SHIP --log N`: deletes a retired log for good, after confirmation.
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { readForget } from "./answers.ts";
import { Exit, usageError } from "./failure.ts";
import { count } from "./format.ts";
import { type KindOptions, kindOf, logNumber, shipName } from "./ships.ts";
import { withAdmin } from "./target.ts";
import { addVerb, run, type TargetOptions, withKind, withStore } from "./verb.ts";

type ForgetOptions = TargetOptions & KindOptions & { readonly log: string; readonly yes?: boolean };

/** Asks the person at the terminal to repeat the name; anything else ends the command. */
async function confirm(name: string, log: number): Promise<void> {
  if (process.stdin.isTTY !== true) {
    throw usageError("nobody is there to confirm: stdin is not a terminal", "give --yes to forget the log without being asked");
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Log ${log} of ${name} will be deleted for ever. Type the ship's name to go on: `);
    if (answer.trim() !== name) {
      throw usageError("the name was not repeated; nothing was deleted", `type ${name} to confirm`);
    }
  } finally {
    terminal.close();
  }
}

export function addForget(program: Command): void {
  withKind(withStore(addVerb(program, "forget <ship>", "delete a retired log for ever")))
    .requiredOption("--log <number>", "the retired log's number")
    .option("--yes", "do not ask for confirmation")
    .action((ship: string, options: ForgetOptions) =>
      run(options, async (output) => {
        const name = shipName(ship);
        const log = logNumber(options.log);
        const kind = kindOf(options);
        if (options.yes !== true) {
          await confirm(name, log);
        }
        return withAdmin(options, async (admin) => {
          const answer = await admin.admin({ verb: "forget", ship: name, kind, log, confirm: name });
          output.result(answer, () => `${name}: log ${log} with ${count(readForget(answer).events)} events is deleted\n`);
          return Exit.OK;
        });
      }),
    );
}
