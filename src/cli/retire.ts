// `seguro retire SHIP`: ends the ship's current log; its next session starts a new one.
import type { Command } from "commander";
import { readRetire } from "./answers.ts";
import { Exit } from "./failure.ts";
import { type KindOptions, kindOf, shipName } from "./ships.ts";
import { withAdmin } from "./target.ts";
import { addVerb, run, type TargetOptions, withKind, withStore } from "./verb.ts";

export function addRetire(program: Command): void {
  withKind(withStore(addVerb(program, "retire <ship>", "end a ship's current log (after a breach); it stays restorable"))).action(
    (ship: string, options: TargetOptions & KindOptions) =>
      run(options, (output) => {
        const name = shipName(ship);
        const kind = kindOf(options);
        return withAdmin(options, async (admin) => {
          const answer = await admin.admin({ verb: "retire", ship: name, kind });
          output.result(answer, () => {
            const { log } = readRetire(answer);
            return `${name}: log ${log} is retired; the next session starts a new one (\`seguro restore ${name} DIR --log ${log}\` still restores it)\n`;
          });
          return Exit.OK;
        });
      }),
  );
}
