// Whom a verb talks to: the running sidecar, or with --store one of its own, alive for this command only.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client } from "../client/client.ts";
import { makeLogger } from "../operate/logger.ts";
import { defaultSocket } from "../operate/paths.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { openKv, parseStoreUrl } from "../store/open.ts";
import { CliError, Exit, usageError } from "./failure.ts";
import { checkSocketFolder } from "./socket-folder.ts";
import { startSidecar } from "./start-sidecar.ts";
import type { TargetOptions } from "./verb.ts";

/** The socket named by --socket, the environment, or the user's runtime folder. */
export function socketOf(options: TargetOptions): string {
  if (options.socket !== undefined) {
    return path.resolve(options.socket);
  }
  const socketPath = defaultSocket(process.env, process.getuid?.() ?? 0);
  checkSocketFolder(socketPath);
  return socketPath;
}

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
    return await openKv(url, { create: false, startedAt: new Date().toISOString() });
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

async function withOwnSidecar<Result>(url: string, work: (socketPath: string) => Promise<Result>): Promise<Result> {
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

/** Runs `work` with the socket of the sidecar that the options mean. */
export function withSidecar<Result>(options: TargetOptions, work: (socketPath: string) => Promise<Result>): Promise<Result> {
  if (options.store === undefined) {
    return work(socketOf(options));
  }
  if (options.socket !== undefined) {
    throw usageError("--socket and --store exclude each other", "--store is for when no sidecar runs");
  }
  return withOwnSidecar(options.store, work);
}

/** Runs `work` with an administrator's session. */
export function withAdmin<Result>(options: TargetOptions, work: (admin: Client) => Promise<Result>): Promise<Result> {
  return withSidecar(options, async (socketPath) => {
    const admin = await Client.connect(socketPath, null);
    try {
      await admin.open({ role: "admin" });
      return await work(admin);
    } finally {
      await admin.close();
    }
  });
}
