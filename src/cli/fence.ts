// `seguro fence SHIP`: ends the claim of whoever writes the ship, here or on another machine, so that another may.
import type { Command } from "commander";
import { readFence } from "./answers.ts";
import { Exit } from "./failure.ts";
import { type KindOptions, kindOf, shipName } from "./ships.ts";
import { withAdmin } from "./target.ts";
import { addVerb, run, type TargetOptions, withKind, withStore } from "./verb.ts";

export function addFence(program: Command): void {
  withKind(withStore(addVerb(program, "fence <ship>", "end the claim of the session that writes a ship, wherever it runs"))).action(
    (ship: string, options: TargetOptions & KindOptions) =>
      run(options, (output) => {
        const name = shipName(ship);
        const kind = kindOf(options);
        return withAdmin(options, async (admin) => {
          const answer = await admin.admin({ verb: "fence", ship: name, kind });
          output.result(answer, () => {
            const { from } = readFence(answer);
            return from === null ? `${name}: nobody writes it; nothing to end\n` : `${name}: the claim of ${from} is ended\n`;
          });
          return Exit.OK;
        });
      }),
  );
}
