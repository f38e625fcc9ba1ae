// Looks at a whole pier: whose it is, its epochs, and whether their logs join without a gap.
import { promises as fs } from "node:fs";
import path from "node:path";
import { asPierError, PierError } from "./errors.ts";
import { type EpochFileName, epochBase, epochFileNames, epochFolderName, findLogFolder, namesIn, readText } from "./folders.ts";
import { identityOf, littleEndian, type PierIdentity, type PierMeta } from "./meta.ts";
import { native } from "./native.ts";
import { type EventSpan, type EventSurvey, PierReader } from "./read.ts";

/** One epoch: a snapshot of the ship at event `base`, and the log of the events after it. */
export interface PierEpoch {
  base: bigint;
  folder: string;
  /** (0, 0) when it has no events yet. */
  span: EventSpan;
  /** Only with `walk`. */
  survey: EventSurvey | null;
  meta: PierMeta;
  /** The epoch's layout version as it stands in epoc.txt. */
  epocTxt: string;
  /** The Vere that opened the epoch, as it stands in vere.txt; null when there is no such file. */
  vereTxt: string | null;
  /** The snapshot files that are there. */
  files: { name: EpochFileName; lengthBytes: number }[];
  /** Bytes of data.mdb. */
  logBytes: number;
}

/** What `inspectPier` found. */
export interface PierLayout {
  /** The pier's folder; null when a bare log folder was given. */
  pier: string | null;
  logFolder: string;
  identity: PierIdentity;
  /** META of the whole pier. */
  topMeta: PierMeta;
  /** By base. At least one. */
  epochs: PierEpoch[];
  /** Over all epochs; a chopped log begins above event 1. */
  span: EventSpan;
  /** The process that runs this pier now, by its lock; null when none does. */
  runningPid: number | null;
  /** What is odd, but no reason to refuse. */
  warnings: string[];
}

/** How closely to look. */
export interface InspectOptions {
  /** Walk over every entry of every log: finds damage inside, and events too short for Vere. */
  walk?: boolean;
}

const topVersionMax = 3n;
const epochVersions = new Set(["1", "2"]);

/**
 * Inspects the pier in `folder` (the pier, its `.urb` or its log folder) without changing anything.
 * Throws `PierError`: `pier-missing`, `pier-unsupported`, `pier-damaged`, `pier-gap`, `pier-overlap`, `pier-permission`.
 */
export async function inspectPier(folder: string, options: InspectOptions = {}): Promise<PierLayout> {
  const logFolder = await findLogFolder(folder);
  const pier = path.basename(path.dirname(logFolder)) === ".urb" ? path.dirname(path.dirname(logFolder)) : null;
  const warnings: string[] = [];
  const topMeta = await readTop(logFolder);
  const epochs = await readEpochs(logFolder, options, warnings);
  const identity = identityOf(topMeta, logFolder);
  for (const epoch of epochs) {
    checkSameShip(epoch, identity, warnings);
  }
  return { pier, logFolder, identity, topMeta, epochs, span: joinEpochs(epochs), runningPid: runningPid(pier), warnings };
}

/** The process that holds `pier/.vere.lock`, or null. */
function runningPid(pier: string | null): number | null {
  return pier === null ? null : native.pierLockHolder(path.join(pier, ".vere.lock")) || null;
}

async function withReader<T>(folder: string, use: (reader: PierReader) => Promise<T>): Promise<T> {
  const reader = PierReader.open(folder);
  try {
    return await use(reader);
  } finally {
    reader.close();
  }
}

async function readTop(logFolder: string): Promise<PierMeta> {
  const names = await namesIn(logFolder);
  if (!names.some((entry) => entry.name === "data.mdb")) {
    throw new PierError(
      "pier-damaged",
      `${logFolder} has no data.mdb of its own`,
      "it says whose pier this is; restore it from another copy",
    );
  }
  const { meta, span } = await withReader(logFolder, async (reader) => ({ meta: await reader.meta(), span: await reader.span() }));
  const version = meta.get("version");
  if (version !== undefined && littleEndian(version.subarray(0, 1)) > topVersionMax) {
    throw new PierError("pier-unsupported", `${logFolder} has version ${littleEndian(version.subarray(0, 1))}; known are those up to 3`);
  }
  if (span.count > 0n) {
    throw new PierError(
      "pier-unsupported",
      `${logFolder} keeps its events outside of epochs, as Vere did before version 2`,
      "start it once with a newer Vere, which converts it",
    );
  }
  return meta;
}

async function readEpochs(logFolder: string, options: InspectOptions, warnings: string[]): Promise<PierEpoch[]> {
  const bases = (await namesIn(logFolder))
    .map((entry) => (entry.isDirectory() ? epochBase(entry.name) : null))
    .filter((base) => base !== null)
    .sort((a, b) => (a < b ? -1 : 1));
  const epochs: PierEpoch[] = [];
  for (const base of bases) {
    const epoch = await readEpoch(path.join(logFolder, epochFolderName(base)), base, options);
    if (typeof epoch !== "string") {
      epochs.push(epoch);
      warnAboutShortEvents(epoch, warnings);
    } else if (base === bases.at(-1)) {
      warnings.push(`${epoch}: left out, as Vere does with an unfinished last epoch`);
    } else {
      throw new PierError("pier-damaged", epoch);
    }
  }
  if (epochs.length === 0) {
    throw new PierError("pier-missing", `${logFolder} has no epoch`, "start it once with a current Vere");
  }
  return epochs;
}

/** The epoch, or why it cannot be one that Vere finished making. */
async function readEpoch(folder: string, base: bigint, options: InspectOptions): Promise<PierEpoch | string> {
  const names = new Set((await namesIn(folder)).map((entry) => entry.name));
  const epocTxt = await readText(path.join(folder, "epoc.txt"));
  const version = epocTxt?.trim();
  if (names.has("book.log") || (version !== undefined && !epochVersions.has(version))) {
    throw new PierError(
      "pier-unsupported",
      `${folder} has the epoch format ${JSON.stringify(version ?? "book")}; known are 1 and 2`,
      "this Seguro is older than that Vere, or that Vere was built from a branch",
    );
  }
  if (!names.has("data.mdb")) {
    return `${folder} has no data.mdb`;
  }
  const found = await withReader(folder, async (reader) => ({
    meta: await reader.meta(),
    span: await reader.span(),
    survey: options.walk === true ? await reader.survey() : null,
  }));
  if (epocTxt === null) {
    if (found.span.count > 0n) {
      throw new PierError("pier-damaged", `${folder} holds events but no epoc.txt`, "restore epoc.txt from another copy of the pier");
    }
    return `${folder} has no epoc.txt`;
  }
  if (found.span.count === 0n && found.meta.size === 0) {
    return `${folder} has neither events nor META`;
  }
  const files: PierEpoch["files"] = [];
  for (const name of epochFileNames.filter((known) => names.has(known))) {
    files.push({ name, lengthBytes: await sizeOf(path.join(folder, name)) });
  }
  const vereTxt = await readText(path.join(folder, "vere.txt"));
  return { base, folder, ...found, epocTxt, vereTxt, files, logBytes: await sizeOf(path.join(folder, "data.mdb")) };
}

async function sizeOf(file: string): Promise<number> {
  return (await asPierError(() => fs.stat(file))).size;
}

function warnAboutShortEvents(epoch: PierEpoch, warnings: string[]): void {
  if (epoch.survey !== null && epoch.survey.shortEvents > 0n) {
    const { shortEvents, firstShortId } = epoch.survey;
    warnings.push(`${epoch.folder}: ${shortEvents} events of at most 4 bytes, from ${firstShortId} on; Vere cannot replay these`);
  }
}

function checkSameShip(epoch: PierEpoch, identity: PierIdentity, warnings: string[]): void {
  if (!epoch.meta.has("who") || !epoch.meta.has("fake")) {
    warnings.push(`${epoch.folder}: META does not say whose events these are`);
    return;
  }
  const who = littleEndian(epoch.meta.get("who") ?? Buffer.alloc(0));
  const fake = littleEndian(epoch.meta.get("fake") ?? Buffer.alloc(0)) === 0n;
  if (who !== identity.number || fake !== identity.fake) {
    throw new PierError("pier-damaged", `${epoch.folder} belongs to another ship than the pier`, "epochs of two piers were mixed");
  }
}

/** Checks that the epochs' events follow each other, and gives their common span. */
function joinEpochs(epochs: PierEpoch[]): EventSpan {
  let total: EventSpan = { firstId: 0n, lastId: 0n, count: 0n };
  let end: bigint | null = null;
  for (const { base, folder, span } of epochs) {
    if (end !== null && base !== end) {
      throw base > end
        ? new PierError("pier-gap", `events are missing: the epoch before ${folder} ends with ${end}, this one begins after ${base}`)
        : new PierError("pier-overlap", `${folder} begins after event ${base}, but the epoch before it goes up to ${end}`);
    }
    if (span.count > 0n && span.firstId !== base + 1n) {
      const code = span.firstId > base + 1n ? "pier-gap" : "pier-overlap";
      throw new PierError(code, `${folder} should begin with event ${base + 1n}, and begins with ${span.firstId}`);
    }
    end = span.count > 0n ? span.lastId : base;
    total = span.count === 0n ? total : { firstId: total.firstId || span.firstId, lastId: span.lastId, count: total.count + span.count };
  }
  return total;
}
