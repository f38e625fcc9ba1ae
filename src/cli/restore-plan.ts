// What a restore will write: which epochs, which events in each, with which texts and metadata.
import type { Client } from "../client/client.ts";
import type { PierMeta } from "../pier/meta.ts";
import { makeShip, type ShipKind, shipBytes, shipNumber } from "../ship.ts";
import { SCOPE_TOP } from "../wire/constants.ts";
import type { EpochEntry } from "../wire/flows.ts";
import { CliError } from "./failure.ts";
import { count } from "./format.ts";

const EPOC_TXT_DEFAULT = "2";
const SNAPSHOTS = ["image.bin", "north.bin", "south.bin"];

export interface EpochPlan {
  readonly base: bigint;
  /** Events after the base, 0 for none. */
  readonly events: bigint;
  readonly meta: PierMeta;
  readonly epocTxt: string;
  readonly vereTxt: string;
  readonly snapshots: readonly EpochEntry[];
}

export interface RestorePlan {
  readonly topMeta: PierMeta;
  readonly epochs: readonly EpochPlan[];
  readonly warnings: readonly string[];
}

/** The stretch of a log that is restored. */
export interface Stretch {
  readonly ship: string;
  readonly kind: ShipKind;
  /** The log's first event. */
  readonly first: bigint;
  readonly last: bigint;
}

async function readMeta(client: Client, scope: bigint): Promise<PierMeta> {
  const entries = await client.metaList(scope);
  return new Map(entries.map(({ key, value }) => [key.toString("latin1"), value]));
}

async function readText(client: Client, base: bigint, name: string, present: readonly EpochEntry[]): Promise<string | null> {
  if (!present.some((entry) => entry.base === base && entry.name === name)) {
    return null;
  }
  const pieces: Buffer[] = [];
  for await (const piece of client.fileGet(base, name)) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** Bases of the epochs to write: those declared within the stretch, and one where the log begins. */
function basesOf(declared: readonly EpochEntry[], { first, last }: Stretch): bigint[] {
  const within = declared.map(({ base }) => base).filter((base) => base >= first - 1n && base <= last);
  return [...new Set([first - 1n, ...within])].sort((a, b) => (a < b ? -1 : 1));
}

function trimmed(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) {
    end -= 1;
  }
  return bytes.subarray(0, end);
}

/** META for a log whose writer never sent any: what follows from the ship's identity. Only `life` cannot be known. */
function completed(meta: PierMeta, { ship, kind }: Stretch, life: number | undefined): PierMeta {
  const whole: PierMeta = new Map(meta);
  const add = (key: string, value: Buffer): void => {
    if (!whole.has(key)) {
      whole.set(key, value);
    }
  };
  const identity = makeShip(shipNumber(ship) ?? 0n, kind);
  add("version", Buffer.from([3]));
  add("who", trimmed(shipBytes(identity.number)));
  add("fake", Buffer.from(kind === "fake" ? [] : [1]));
  if (life !== undefined) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(life);
    add("life", trimmed(bytes));
  }
  if (!whole.has("life")) {
    throw new CliError(
      "no-metadata",
      `the log of ${ship} has no metadata entry "life", and Vere does not start a pier without it`,
      "give it with --life: the number of events in the ship's boot sequence (Vere's `info` shows it)",
    );
  }
  return new Map([...whole].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function vereTextOf(text: string | null, base: bigint, option: string | undefined): string {
  const chosen = text ?? option;
  if (chosen === undefined) {
    throw new CliError(
      "no-vere-version",
      `the log does not say which Vere wrote the epoch 0i${base}`,
      "give it with --vere-version, such as --vere-version 4.6: Vere replays an epoch only with the version that wrote it",
    );
  }
  return chosen;
}

/** Asks the log for everything but events and snapshots, and says what to write. */
export async function planRestore(
  client: Client,
  stretch: Stretch,
  options: { readonly vereVersion?: string; readonly life?: number },
): Promise<RestorePlan> {
  const declared = await client.epochs();
  const bases = basesOf(declared, stretch);
  const ownTop = await readMeta(client, SCOPE_TOP);
  const ownMetas = await Promise.all(
    bases.map((base) => (declared.some((entry) => entry.base === base) ? readMeta(client, base) : new Map())),
  );
  // Vere keeps the same entries in both places; where a log has them in one only, that one serves for both.
  const topMeta = completed(ownTop.size > 0 ? ownTop : (ownMetas.findLast((meta) => meta.size > 0) ?? ownTop), stretch, options.life);
  const epochs: EpochPlan[] = [];
  for (const [index, base] of bases.entries()) {
    const meta = ownMetas[index] ?? new Map();
    const vereTxt = await readText(client, base, "vere.txt", declared);
    epochs.push({
      base,
      events: (bases[index + 1] ?? stretch.last) - base,
      meta: meta.size > 0 ? meta : topMeta,
      epocTxt: (await readText(client, base, "epoc.txt", declared)) ?? EPOC_TXT_DEFAULT,
      vereTxt: vereTextOf(vereTxt, base, options.vereVersion),
      snapshots: declared.filter((entry) => entry.base === base && SNAPSHOTS.includes(entry.name)),
    });
  }
  const lacking = epochs.filter((epoch) => epoch.base > 0n && epoch.snapshots.length === 0);
  const needed = lacking.filter((epoch) => epoch === epochs[0] || epoch === epochs.at(-1));
  const warnings = needed.map(
    ({ base }) =>
      `the log has no snapshot for the epoch 0i${base}: Vere needs its image.bin, the ship as it was at event ${count(base)}, to start from there`,
  );
  return { topMeta, epochs, warnings };
}
