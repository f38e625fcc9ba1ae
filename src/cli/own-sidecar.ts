// A store used without a running sidecar: one of the command's own, on a socket nobody else sees, alive for this command only.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemTime } from "../operate/clock.ts";
import { makeLogger } from "../operate/logger.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { openKv, parseStoreUrl } from "../store/open.ts";
import { CliError, Exit, usageError } from "./failure.ts";
import { startSidecar } from "./start-sidecar.ts";

/** A person waits: a cluster that has not answered by then is said to be away. */
const CLUSTER_PATIENCE_MS = 10_000;

/** Opens a store for one command; a lock held by a running sidecar is told with the way round it. */
async function openOwnStore(url: string): Promise<Kv> {
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
    throw error;
  }
}

/** Runs `work` with the socket of a sidecar on this store, which lives as long as the work. */
export async function withOwnSidecar<Result>(url: string, work: (socketPath: string) => Promise<Result>): Promise<Result> {
  const kv = await openOwnStore(url);
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
