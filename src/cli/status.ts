// `seguro status [SHIP]`: the sidecar, its store, its ships and who is connected.
import type { Command } from "commander";
import { readStatus, type StatusAnswer } from "./answers.ts";
import { Exit } from "./failure.ts";
import { count, duration, pairs, size, table } from "./format.ts";
import { type KindOptions, kindOf, shipName, shownShip } from "./ships.ts";
import { withAdmin } from "./target.ts";
import { addVerb, run, type TargetOptions, withKind, withStore } from "./verb.ts";

const DIGEST_SHOWN_CHARS = 16;
const NONE = "-";

function sidecarText(status: StatusAnswer): string {
  const { sizeBytes, freeBytes } = status.store;
  const shownSize = (value: unknown): string => (typeof value === "number" ? size(value) : "unknown");
  return pairs([
    ["sidecar", `version ${status.version}${status.pid === undefined ? "" : `, process ${status.pid}`}, up ${duration(status.uptimeMs)}`],
    ["store", `${status.store.name}, ${shownSize(sizeBytes)} (${shownSize(freeBytes)} free on its disk)`],
  ]);
}

function shipsText(ships: StatusAnswer["ships"]): string {
  if (ships.length === 0) {
    return "no ships\n";
  }
  const columns = [
    { title: "SHIP" },
    { title: "LOG", right: true },
    { title: "FIRST", right: true },
    { title: "HEIGHT", right: true },
    { title: "EPOCH", right: true },
    { title: "DIGEST AT", right: true },
    { title: "DIGEST" },
  ];
  const rows = ships.map(({ ship, kind, log, base, height, epoch, digest }) => [
    shownShip(ship, kind),
    String(log),
    height === 0n ? NONE : count(base),
    height === 0n ? NONE : count(height),
    epoch === undefined || epoch === null ? NONE : count(epoch),
    digest === undefined || digest === null || digest.id === 0n ? NONE : count(digest.id),
    digest === undefined || digest === null || digest.id === 0n ? NONE : digest.digest.slice(0, DIGEST_SHOWN_CHARS),
  ]);
  return table(columns, rows);
}

function sessionsText(sessions: StatusAnswer["sessions"]): string {
  if (sessions.length === 0) {
    return "no sessions\n";
  }
  const columns = [
    { title: "SESSION OF" },
    { title: "ROLE" },
    { title: "PROTOCOL", right: true },
    { title: "UID", right: true },
    { title: "PID", right: true },
    { title: "TRANSPORT" },
    { title: "FOR", right: true },
  ];
  const rows = sessions.map((session) => [
    session.ship === null ? NONE : shownShip(session.ship, session.kind ?? "real"),
    session.role ?? NONE,
    session.version === null ? NONE : String(session.version),
    session.uid === undefined || session.uid === null ? NONE : String(session.uid),
    session.pid === undefined || session.pid === null ? NONE : String(session.pid),
    session.transport,
    duration(session.sinceMs),
  ]);
  return table(columns, rows);
}

export function addStatus(program: Command): void {
  withKind(withStore(addVerb(program, "status [ship]", "show the sidecar, its store, its ships and its sessions"))).action(
    (ship: string | undefined, options: TargetOptions & KindOptions) =>
      run(options, (output) => {
        const question = { verb: "status", ...(ship === undefined ? {} : { ship: shipName(ship), kind: kindOf(options) }) };
        return withAdmin(options, async (admin) => {
          const answer = await admin.admin(question);
          output.result(answer, () => {
            const status = readStatus(answer);
            return [sidecarText(status), shipsText(status.ships), sessionsText(status.sessions)].join("\n");
          });
          return Exit.OK;
        });
      }),
  );
}
