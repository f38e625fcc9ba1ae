// A store used without a running sidecar: one of the command's own, on a socket nobody else sees, alive for this command only.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemTime } from "../operate/clock.ts";
import { makeLogger } from "../operate/logger.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { openKv, parseStoreUrl } from "../store/open.ts";
import type { HeedDamage } from "./damage.ts";
import { lookAtDamage, openBefore } from "./damage-look.ts";
import { CliError, Exit, usageError } from "./failure.ts";
import { startSidecar } from "./start-sidecar.ts";

/** A person waits: a cluster that has not answered by then is said to be away. */
const CLUSTER_PATIENCE_MS = 10_000;

/** A journal store whose commit log is damaged, as it was before the damage and for reading only; for anything else `error` is thrown. */
async function openBeforeDamage(url: string, error: StoreError, heed: HeedDamage): Promise<Kv> {
  const parsed = parseStoreUrl(url);
  const found = error.code === "store-damaged" && parsed.engine === "journal" ? await lookAtDamage(parsed.dir) : null;
  if (found === null || parsed.engine !== "journal") {
    throw error;
  }
  heed(found);
  if (!found.formatted) {
    throw new CliError("store-damaged", `${error.message} (nothing is left of the store before that)`, error.hint, Exit.DAMAGE);
  }
  return openBefore(parsed.dir);
}

/** Opens a store for one command; a lock held by a running sidecar is told with the way round it. */
async function openOwnStore(url: string, heed?: HeedDamage): Promise<Kv> {
  const parsed = parseStoreUrl(url);
  if (parsed.engine === "memory") {
    throw usageError(
      "a memory store has nothing to show: it ends with its process",
      "name the store that is meant, such as --store lmdb:DIR",
    );
  }
  try {
    return await openKv(url, {
      create: false,
      startedAt: new Date().toISOString(),
      time: systemTime,
      clusterFile: process.env.FDB_CLUSTER_FILE,
      patienceMs: CLUSTER_PATIENCE_MS,
    });
  } catch (error) {
    if (error instanceof StoreError && error.code === "store-locked") {
      throw new CliError(
        "store-locked",
        error.message,
        "a sidecar uses this store: leave out --store, or name its socket with --socket",
        Exit.REFUSED,
      );
    }
    if (error instanceof StoreError && heed !== undefined) {
      return openBeforeDamage(url, error, heed);
    }
    throw error;
  }
}

/**
 * Runs `work` with the socket of a sidecar on this store, which lives as long as the work. Of a journal store whose commit log is damaged `heed`
 * hears before; without it, or when it throws, the store stays closed.
 */
export async function withOwnSidecar<Result>(
  url: string,
  work: (socketPath: string) => Promise<Result>,
  heed?: HeedDamage,
): Promise<Result> {
  const kv = await openOwnStore(url, heed);
  const folder = mkdtempSync(path.join(tmpdir(), "seguro-"));
  try {
    const socketPath = path.join(folder, "s");
    const sidecar = await startSidecar({ kv, socketPath, logger: makeLogger("silent") });
    try {
      return await work(socketPath);
    } finally {
      await sidecar.stop();
    }
  } finally {
    await kv.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
