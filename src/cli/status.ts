// `seguro status [SHIP]`: the sidecar, its store, its ships and who is connected.
import { statfs } from "node:fs/promises";
import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { moveText } from "../log/moved.ts";
import { readStatus, type StatusAnswer } from "./answers.ts";
import { askShips } from "./ask-ships.ts";
import { DamageNote } from "./damage.ts";
import type { ExitCode } from "./failure.ts";
import { count, duration, pairs, size, table } from "./format.ts";
import { type KindOptions, kindOf, shipName, shownShip } from "./ships.ts";
import { withAdmin } from "./target.ts";
import { addVerb, run, type TargetOptions, withKind, withStore } from "./verb.ts";

const DIGEST_SHOWN_CHARS = 16;
const NONE = "-";

type ShipStatus = StatusAnswer["ships"][number];

/** Bytes free on the disk of an embedded store; the sidecar runs on this machine. Null where it cannot be told. */
export async function freeBytesOf(storeName: string): Promise<number | null> {
  const dir = /^(?:lmdb|journal):(.*)$/s.exec(storeName)?.[1];
  if (dir === undefined) {
    return null;
  }
  try {
    const { bavail, bsize } = await statfs(dir);
    return bavail * bsize;
  } catch {
    return null;
  }
}

function sidecarText(status: StatusAnswer, freeBytes: number | null): string {
  const { name, fileBytes, oldestCallSeconds, waitingFor } = status.store;
  const taken = typeof fileBytes === "number" ? `, ${size(fileBytes)}` : "";
  const free = freeBytes === null ? "" : `, ${size(freeBytes)} free on its disk`;
  const waits = typeof oldestCallSeconds === "number" && oldestCallSeconds > 0;
  const why = typeof waitingFor === "string" ? `: ${waitingFor}` : "";
  return pairs([
    ["sidecar", `version ${status.version}, up ${duration(status.uptimeMs)}`],
    ["store", `${name}${taken}${free}`],
    ...(waits ? [["waiting", `for the store, since ${duration(oldestCallSeconds * 1000)}${why}`] as const] : []),
  ]);
}

function shipRow({ ship, kind, currentLog, moved, writer, logs }: ShipStatus): string[] {
  const log = logs.find((entry) => entry.log === currentLog);
  const empty = log === undefined || log.height === 0n;
  const pair = log?.digest ?? null;
  return [
    shownShip(ship, kind),
    currentLog === 0 ? NONE : String(currentLog),
    empty ? NONE : count(log.base),
    empty ? NONE : count(log.height),
    pair === null || pair.id === 0n ? NONE : `${pair.digest.slice(0, DIGEST_SHOWN_CHARS)} at ${count(pair.id)}`,
    writer ?? (moved ? moveText(moved) : NONE),
  ];
}

function shipsText({ ships, storeAnswers }: StatusAnswer): string {
  if (ships.length === 0) {
    return storeAnswers ? "no ships\n" : "the store does not answer: its ships are not known\n";
  }
  const columns = [
    { title: "SHIP" },
    { title: "LOG", right: true },
    { title: "FIRST", right: true },
    { title: "HEIGHT", right: true },
    { title: "DIGEST" },
    { title: "WRITER" },
  ];
  return table(columns, ships.map(shipRow));
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
    session.role,
    session.version === null ? NONE : String(session.version),
    String(session.uid),
    String(session.pid),
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
        const damage = new DamageNote(output);
        const ask = async (admin: Client): Promise<ExitCode> => {
          const answer = await askShips(admin, question);
          const status = readStatus(answer);
          const freeBytes = await freeBytesOf(status.store.name);
          const store = { ...(answer.store as object), freeBytes };
          output.result({ ...answer, store, ...damage.json }, () =>
            [sidecarText(status, freeBytes), shipsText(status), sessionsText(status.sessions)].join("\n"),
          );
          return damage.exit;
        };
        return withAdmin(options, ask, damage.heed);
      }),
  );
}
