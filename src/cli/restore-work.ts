// The work of `seguro restore`: events, metadata and snapshots out of the log into a new pier, checked on the way and at the end.
import { mkdir, open, rm, rmdir } from "node:fs/promises";
import path from "node:path";
import type { Client } from "../client/client.ts";
import { digestBefore } from "../log/digest.ts";
import { createDigestChain, type DigestChain } from "../native/digest-chain.ts";
import { PierWriter } from "../pier/write.ts";
import { makeShip, shipNumber } from "../ship.ts";
import { CliError, Exit } from "./failure.ts";
import { count } from "./format.ts";
import type { EpochPlan, RestorePlan, Stretch } from "./restore-plan.ts";

/** The file that marks a pier which must not be booted on the network. */
export const MARK_NAME = "NEVER-BOOT-THIS-PIER.txt";

export interface Written {
  readonly events: bigint;
  readonly bytes: bigint;
  readonly digest: Buffer;
}

export interface WriteHooks {
  onEvent(id: bigint): void;
  /** Called when all is written and checked, before the pier appears; what it throws undoes everything. */
  beforeFinish(): Promise<void>;
}

async function writeMark(file: string, text: string): Promise<void> {
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeEvents(
  client: Client,
  writer: PierWriter,
  epoch: EpochPlan,
  chain: DigestChain,
  onEvent: (id: bigint) => void,
): Promise<bigint> {
  let bytes = 0n;
  for await (const piece of client.read({ from: epoch.base + 1n, limit: epoch.events })) {
    const [lastId] = await Promise.all([writer.records(piece), chain.advance([piece])]);
    bytes += BigInt(piece.length);
    onEvent(lastId);
  }
  return bytes;
}

async function writeEpoch(
  client: Client,
  writer: PierWriter,
  epoch: EpochPlan,
  chain: DigestChain,
  onEvent: (id: bigint) => void,
): Promise<bigint> {
  const { base, meta, epocTxt, vereTxt } = epoch;
  await writer.epoch({ base, meta, epocTxt, vereTxt });
  const bytes = epoch.events === 0n ? 0n : await writeEvents(client, writer, epoch, chain, onEvent);
  for (const snapshot of epoch.snapshots) {
    for await (const piece of client.fileGet(base, snapshot.name)) {
      await writer.file(snapshot.name, piece);
    }
  }
  return bytes;
}

async function checkDigest(client: Client, chain: DigestChain, last: bigint): Promise<void> {
  const theirs = await client.digest(last);
  if (chain.id !== last || !chain.digest.equals(theirs.digest)) {
    throw new CliError(
      "restore-differs",
      `the events read up to ${count(chain.id)} do not have the digest that the log keeps for event ${count(last)}; nothing was restored`,
      "`seguro verify` tells where the log is damaged",
      Exit.DAMAGE,
    );
  }
}

/**
 * Writes the pier into `dir`, which must not exist or be empty. With `mark` that text stands in it from the moment it can be opened. After a
 * failure nothing is left of it.
 */
export async function writePier(
  client: Client,
  dir: string,
  stretch: Stretch,
  plan: RestorePlan,
  mark: string | null,
  hooks: WriteHooks,
): Promise<Written> {
  // The folder is made first, so that the mark lies in it before the pier does.
  const made = await mkdir(dir, { mode: 0o700 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") {
        return false;
      }
      throw error;
    },
  );
  const markFile = path.join(dir, MARK_NAME);
  let writer: PierWriter | null = null;
  let marked = false;
  try {
    writer = await PierWriter.create(dir, { topMeta: plan.topMeta });
    if (mark !== null) {
      await writeMark(markFile, mark);
      marked = true;
    }
    const chain = createDigestChain(digestBefore(makeShip(shipNumber(stretch.ship) ?? 0n, stretch.kind), stretch.first));
    let bytes = 0n;
    for (const epoch of plan.epochs) {
      bytes += await writeEpoch(client, writer, epoch, chain, hooks.onEvent);
    }
    await checkDigest(client, chain, stretch.last);
    await hooks.beforeFinish();
    await writer.finish();
    return { events: stretch.last - stretch.first + 1n, bytes, digest: chain.digest };
  } catch (error) {
    await writer?.abort();
    await (marked ? rm(markFile, { force: true }) : undefined);
    // Fails where somebody put something into it meanwhile: that stays.
    await (made ? rmdir(dir).catch(() => undefined) : undefined);
    throw error;
  }
}
