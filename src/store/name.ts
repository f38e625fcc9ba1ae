// One name for a store, however its URL is written: by it records in other stores call it.
import path from "node:path";
import { foundationName } from "./foundationdb/url.ts";
import { parseStoreUrl } from "./open.ts";

/**
 * The name that a store has once it is open, which is a URL too. Symbolic links are not followed: the store may be lost. `clusterFile` as in
 * `OpenFoundationOptions`.
 *
 * @throws StoreError as `parseStoreUrl` does.
 */
export function storeName(url: string, clusterFile?: string): string {
  const parsed = parseStoreUrl(url);
  if (parsed.engine === "memory") return "memory";
  if (parsed.engine === "foundationdb") return foundationName(parsed, clusterFile);
  return `${parsed.engine}:${path.resolve(parsed.dir)}`;
}
