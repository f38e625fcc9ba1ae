// The work of `seguro import`, done in a child process: reads the pier and writes the log, as one session of protocol 1.
import path from "node:path";
import type { Client } from "../client/client.ts";
import { inspectPier, type PierLayout } from "../pier/layout.ts";
import type { PierMeta } from "../pier/meta.ts";
import { SCOPE_TOP } from "../wire/constants.ts";
import type { MetaEntry } from "../wire/flows.ts";
import { CliError, Exit } from "./failure.ts";
import { count } from "./format.ts";
import { compareWithLog } from "./import-compare.ts";
import { type LocalFile, putEpochs, putFiles, putMeta } from "./import-epochs.ts";
import { openShip, type ShipSession } from "./open-ship.ts";
import { PierEvents } from "./pier-events.ts";

/** Sent to the child; must survive structured cloning. */
export interface ImportJob {
  readonly pier: string;
  readonly socketPath: string;
  readonly acceptZeroPages: boolean;
}

export type ImportStep =
  | {
      readonly kind: "found";
      readonly ship: string;
      readonly fake: boolean;
      readonly runningPid: number | null;
      readonly warnings: readonly string[];
    }
  | { readonly kind: "phase"; readonly phase: "compare" | "import"; readonly total: bigint }
  | { readonly kind: "at"; readonly done: bigint }
  | { readonly kind: "file"; readonly name: string };

export interface ImportResult {
  readonly ship: string;
  readonly fake: boolean;
  readonly log: number;
  readonly first: bigint;
  readonly height: bigint;
  readonly imported: bigint;
  readonly present: bigint;
  readonly bytes: bigint;
  readonly epochs: number;
  readonly files: number;
  readonly metadata: number;
  readonly changed: boolean;
  readonly shortEvents: bigint;
  readonly digest: string;
}

type Report = (step: ImportStep) => void;

function entriesOf(meta: PierMeta): MetaEntry[] {
  return [...meta].map(([key, value]) => ({ key: Buffer.from(key, "latin1"), value: Buffer.from(value) }));
}

function filesOf(layout: PierLayout): LocalFile[] {
  return layout.epochs.flatMap(({ base, folder, vereTxt, files }) => {
    const names = ["epoc.txt", ...(vereTxt === null ? [] : ["vere.txt"]), ...files.map((file) => file.name)];
    return names.map((name) => ({ base, name, path: path.join(folder, name) }));
  });
}

function lesser(a: bigint, b: bigint): bigint {
  if (a < b) {
    return a;
  }
  return b;
}

/** Checks what can be checked without reading events; the log holds something. */
function checkBounds(ship: string, base: bigint, height: bigint, pier: PierEvents): void {
  if (pier.firstId < base) {
    throw new CliError(
      "import-differs",
      `${ship}: the log begins with event ${count(base)}, the pier already with ${count(pier.firstId)}. Nothing was written`,
      "events cannot be put before a log's first; `seguro retire` ends this log, and the next import makes a whole one",
      Exit.REFUSED,
    );
  }
  if (pier.firstId > height + 1n) {
    throw new CliError(
      "import-gap",
      `${ship}: the log ends with event ${count(height)}, the pier begins with ${count(pier.firstId)}: the events between are missing. Nothing was written`,
      "import first from an older copy of the pier that holds them, or `seguro retire` this log",
      Exit.REFUSED,
    );
  }
}

/** Makes sure that what the log has is what the pier has. Resolves with how many of the pier's events the log holds already. */
async function checkPresent({ client, opened }: ShipSession, ship: string, pier: PierEvents, report: Report): Promise<bigint> {
  if (opened.height === 0n || pier.firstId === 0n) {
    return 0n;
  }
  checkBounds(ship, opened.base, opened.height, pier);
  const last = lesser(opened.height, pier.lastId);
  const present = last - pier.firstId + 1n;
  if (present > 0n) {
    report({ kind: "phase", phase: "compare", total: present });
    await compareWithLog(client, ship, pier, pier.firstId, last, (id) => report({ kind: "at", done: id - pier.firstId + 1n }));
  }
  if (opened.height > pier.lastId) {
    throw new CliError(
      "import-behind",
      `${ship}: the log goes on to event ${count(opened.height)}, the pier ends with ${count(pier.lastId)} (they agree up to there). Nothing was written`,
      "the pier is an older copy: never boot it on the network; `seguro restore` writes a current one",
      Exit.REFUSED,
    );
  }
  return present;
}

interface Appended {
  readonly count: bigint;
  readonly bytes: bigint;
  readonly shortEvents: bigint;
}

/** Appends everything from `fromId` on and waits until it is durable; from a running pier that may be more than was seen at first. */
async function appendFrom(client: Client, pier: PierEvents, fromId: bigint, report: Report): Promise<Appended> {
  let bytes = 0n;
  let shortEvents = 0n;
  let lastId = fromId - 1n;
  if (pier.lastId === 0n || fromId > pier.lastId) {
    return { count: 0n, bytes, shortEvents };
  }
  report({ kind: "phase", phase: "import", total: pier.lastId - fromId + 1n });
  client.onHeight = (height) => report({ kind: "at", done: height - fromId + 1n });
  for await (const run of pier.runs(fromId)) {
    await client.append(run.bytes);
    bytes += BigInt(run.bytes.length);
    shortEvents += BigInt(run.shortEvents);
    lastId = run.ends ? run.lastId : lastId;
  }
  await client.acknowledged(lastId);
  client.onHeight = null;
  return { count: lastId - fromId + 1n, bytes, shortEvents };
}

/** Imports a pier; resolves when everything is durable. */
export async function importPier(job: ImportJob, report: Report): Promise<ImportResult> {
  const layout = await inspectPier(job.pier);
  const { name: ship, fake } = layout.identity;
  report({ kind: "found", ship, fake, runningPid: layout.runningPid, warnings: layout.warnings });
  const epochs = layout.epochs.map(({ folder, span }) => ({ folder, firstId: span.firstId, lastId: span.lastId }));
  const pier = new PierEvents(epochs, { acceptZeroPages: job.acceptZeroPages });
  const session = await openShip(job.socketPath, ship, { role: "write", kind: fake ? "fake" : "real" });
  const { client, opened } = session;
  try {
    const present = await checkPresent(session, ship, pier, report);
    const appended = await appendFrom(client, pier, opened.height === 0n ? pier.firstId : opened.height + 1n, report);
    const declared = await putEpochs(
      client,
      layout.epochs.map(({ base }) => base),
    );
    const files = await putFiles(client, filesOf(layout), (name) => report({ kind: "file", name }));
    let metadata = await putMeta(client, SCOPE_TOP, entriesOf(layout.topMeta));
    for (const epoch of layout.epochs) {
      metadata += await putMeta(client, epoch.base, entriesOf(epoch.meta));
    }
    const { height } = client;
    const digest = height === 0n ? "" : (await client.digest(height)).digest.toString("hex");
    return {
      ship,
      fake,
      log: opened.log,
      first: opened.base === 0n ? pier.firstId : opened.base,
      height,
      imported: appended.count,
      present,
      bytes: appended.bytes,
      epochs: layout.epochs.length,
      files,
      metadata,
      changed: appended.count > 0n || declared > 0 || files > 0 || metadata > 0,
      shortEvents: appended.shortEvents,
      digest,
    };
  } finally {
    await client.close();
  }
}
