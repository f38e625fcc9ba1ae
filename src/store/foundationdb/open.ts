// Opens a store in a FoundationDB cluster: which cluster, which prefix, and whether there is one.
import { existsSync } from "node:fs";
import { StoreError } from "../errors.ts";
import { keys } from "../layout.ts";
import { connect } from "./client.ts";
import { FoundationKv } from "./engine.ts";
import type { StallReport } from "./stall.ts";
import type { Time } from "./time.ts";
import type { Database } from "./transactions.ts";
import { clusterFileOf, type FoundationUrl, foundationName, URL_FORM } from "./url.ts";

export interface OpenFoundationOptions extends StallReport {
  readonly time: Time;
  /** The cluster file where the URL names none; default /etc/foundationdb/fdb.cluster. */
  readonly clusterFile?: string | undefined;
  /** False: a prefix without a store is `store-missing`. */
  readonly create?: boolean;
  /** How long the cluster may take to answer for the first time; default: for ever. */
  readonly patienceMs?: number;
}

/** Opens the database, and names a store in it. */
async function connectTo(url: FoundationUrl, defaultFile: string | undefined): Promise<{ database: Database; name: string }> {
  const clusterFile = clusterFileOf(url, defaultFile);
  if (!existsSync(clusterFile)) {
    const hint = `Copy it from a machine of the cluster, name it (${URL_FORM}), or set FDB_CLUSTER_FILE.`;
    throw new StoreError("store-missing", `there is no cluster file ${clusterFile}`, hint);
  }
  return { database: await connect(clusterFile), name: foundationName(url, defaultFile) };
}

/** Reads the format record: the cluster's first answer. */
async function firstAnswer(kv: FoundationKv, { time, patienceMs }: OpenFoundationOptions): Promise<Buffer | null> {
  const answer = kv.get(keys.format());
  if (patienceMs === undefined) return answer;
  const answered = new AbortController();
  const waited = time.sleep(patienceMs, answered.signal).then(() => "no answer" as const);
  try {
    const first = await Promise.race([answer, waited]);
    if (first !== "no answer") return first;
  } finally {
    answered.abort();
  }
  answer.catch(() => undefined);
  throw new StoreError(
    "store-failed",
    `${kv.name}: the cluster has not answered for ${Math.round(patienceMs / 1000)} s`,
    "See `fdbcli --exec status`. A cluster that is well but older than the client library (7.2 at least, the same version at best) does not answer either.",
  );
}

/**
 * Opens a store in a cluster. Waits until the cluster has answered.
 *
 * @throws StoreError `store-missing` (no cluster file, no client library, no store where none is to be made), `store-failed` (no answer in time).
 */
export async function openFoundation(url: FoundationUrl, options: OpenFoundationOptions): Promise<FoundationKv> {
  const { database, name } = await connectTo(url, options.clusterFile);
  const kv = new FoundationKv(database, { ...options, name, prefix: url.prefix });
  try {
    const format = await firstAnswer(kv, options);
    if (format === null && options.create === false) {
      throw new StoreError(
        "store-missing",
        `there is no store ${name}`,
        "Check the prefix; `seguro serve` makes a store where there is none.",
      );
    }
    return kv;
  } catch (error) {
    await kv.close(0);
    throw error;
  }
}
