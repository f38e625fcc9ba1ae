// `seguro verify SHIP`: reads a whole log back, checks every record and recomputes the digest chain.
import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { readVerify, readVerifyProgress, type VerifyAnswer } from "./answers.ts";
import { DamageNote } from "./damage.ts";
import { Exit } from "./failure.ts";
import { count, size } from "./format.ts";
import type { Output, Progress } from "./output.ts";
import { type KindOptions, kindOf, logNumber, shipName } from "./ships.ts";
import { withAdmin } from "./target.ts";
import { addVerb, run, type TargetOptions, withKind, withStore } from "./verb.ts";

type VerifyOptions = TargetOptions & KindOptions & { readonly log?: string };

function verifyText(ship: string, answer: VerifyAnswer): string {
  if (answer.damage.length === 0) {
    const events = `${count(answer.events)} events (${size(answer.bytes)})`;
    return `${ship}: ${events} read back, all as they were acknowledged\ndigest at ${count(answer.id)}: ${answer.digest}\n`;
  }
  const lines = answer.damage.map(
    ({ id, code, text }) => `  ${id === undefined || id === null ? "" : `event ${count(id)}: `}${text} (${code})\n`,
  );
  return `${ship}: DAMAGE in ${count(answer.damage.length)} places, ${count(answer.events)} events read back\n${lines.join("")}`;
}

/** Asks for the verification, showing how far it is. */
async function verify(options: VerifyOptions, ship: string, output: Output, damage: DamageNote): Promise<VerifyAnswer> {
  const name = shipName(ship);
  const log = options.log === undefined ? undefined : logNumber(options.log);
  const question = { verb: "verify", ship: name, kind: kindOf(options), log };
  let progress: Progress | undefined;
  const ask = async (admin: Client): Promise<VerifyAnswer> => {
    try {
      const answer = await admin.admin(question, (step) => {
        const { id, height } = readVerifyProgress(step);
        progress ??= output.progress(`verify ${name}`, height, "events");
        progress.update(id);
      });
      const verified = readVerify(answer);
      progress?.update(verified.id);
      return verified;
    } finally {
      progress?.stop();
    }
  };
  return withAdmin(options, ask, damage.heed);
}

export function addVerify(program: Command): void {
  withKind(withStore(addVerb(program, "verify <ship>", "read a log back and check every event")))
    .option("--log <number>", "an earlier log of the ship (default: the current one)")
    .action((ship: string, options: VerifyOptions) =>
      run(options, async (output) => {
        const damage = new DamageNote(output);
        const answer = await verify(options, ship, output, damage);
        output.result({ ...answer, ...damage.json }, () => verifyText(shipName(ship), answer));
        if (answer.damage.length === 0) {
          return damage.exit;
        }
        output.warn("do not boot this ship; keep the store as it is, and restore from a copy that verifies");
        return Exit.DAMAGE;
      }),
    );
}
