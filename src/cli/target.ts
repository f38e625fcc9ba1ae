// Whom a verb talks to: the running sidecar, or with --store one of its own, alive for this command only.
import path from "node:path";
import { Client } from "../client/client.ts";
import { defaultSocket } from "../operate/paths.ts";
import type { HeedDamage } from "./damage.ts";
import { usageError } from "./failure.ts";
import { checkSocketFolder } from "./socket-folder.ts";
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

/** Runs `work` with the socket of the sidecar that the options mean. `heed`: as `withOwnSidecar` takes it. */
export async function withSidecar<Result>(
  options: TargetOptions,
  work: (socketPath: string) => Promise<Result>,
  heed?: HeedDamage,
): Promise<Result> {
  if (options.store === undefined) {
    return work(socketOf(options));
  }
  if (options.socket !== undefined) {
    throw usageError("--socket and --store exclude each other", "--store is for when no sidecar runs");
  }
  const { withOwnSidecar } = await import("./own-sidecar.ts");
  return withOwnSidecar(options.store, work, heed);
}

/** Runs `work` with an administrator's session. */
export function withAdmin<Result>(options: TargetOptions, work: (admin: Client) => Promise<Result>, heed?: HeedDamage): Promise<Result> {
  const withSession = async (socketPath: string): Promise<Result> => {
    const admin = await Client.connect(socketPath, null);
    try {
      await admin.open({ role: "admin" });
      return await work(admin);
    } finally {
      await admin.close();
    }
  };
  return withSidecar(options, withSession, heed);
}
