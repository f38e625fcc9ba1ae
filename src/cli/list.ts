// `seguro list`: every ship and its logs.
import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { moveText } from "../log/moved.ts";
import { type ListAnswer, readList } from "./answers.ts";
import { askShips } from "./ask-ships.ts";
import { DamageNote } from "./damage.ts";
import type { ExitCode } from "./failure.ts";
import { count, table } from "./format.ts";
import { shownShip } from "./ships.ts";
import { withAdmin } from "./target.ts";
import { addVerb, run, type TargetOptions, withStore } from "./verb.ts";

function listText(answer: ListAnswer): string {
  const rows = answer.ships.flatMap(({ ship, kind, moved, logs }) =>
    logs.map(({ log, base, height, events, state }) => [
      shownShip(ship, kind),
      String(log),
      events === 0n ? "-" : count(base),
      events === 0n ? "-" : count(height),
      count(events),
      state === "open" ? (moved ? moveText(moved) : "current") : state,
    ]),
  );
  if (rows.length === 0) {
    return "no ships yet: `seguro import PIER` takes one in\n";
  }
  const columns = [
    { title: "SHIP" },
    { title: "LOG", right: true },
    { title: "FIRST", right: true },
    { title: "HEIGHT", right: true },
    { title: "EVENTS", right: true },
    { title: "STATE" },
  ];
  return table(columns, rows);
}

export function addList(program: Command): void {
  withStore(addVerb(program, "list", "list every ship and its logs")).action((options: TargetOptions) =>
    run(options, (output) => {
      const damage = new DamageNote(output);
      const ask = async (admin: Client): Promise<ExitCode> => {
        const answer = await askShips(admin, { verb: "list" });
        output.result({ ...answer, ...damage.json }, () => listText(readList(answer)));
        return damage.exit;
      };
      return withAdmin(options, ask, damage.heed);
    }),
  );
}
