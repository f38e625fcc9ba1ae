// Opens a store by its URL; each engine is loaded only when it is asked for.

import type { EmbeddedOptions } from "./embedded.ts";
import { StoreError } from "./errors.ts";
import type { OpenFoundationOptions } from "./foundationdb/open.ts";
import { type FoundationUrl, parseFoundationUrl } from "./foundationdb/url.ts";
import type { JournalOptions } from "./journal.ts";
import type { Kv } from "./kv.ts";

export type StoreUrl =
  | { readonly engine: "memory" }
  | { readonly engine: "lmdb"; readonly dir: string }
  | { readonly engine: "journal"; readonly dir: string }
  | ({ readonly engine: "foundationdb" } & FoundationUrl);

/** What every engine that knows it heeds; see `EmbeddedOptions`, `JournalOptions` and `OpenFoundationOptions`. */
export type OpenOptions = EmbeddedOptions & Pick<JournalOptions, "lanes"> & OpenFoundationOptions;

const known = 'Stores are "lmdb:DIR", "journal:DIR", "memory:" and "foundationdb:[CLUSTER_FILE][?prefix=PREFIX]".';

/**
 * Reads `lmdb:DIR`, `journal:DIR`, `memory:` (or `memory`) or `foundationdb:[CLUSTER_FILE][?prefix=PREFIX]`.
 *
 * @throws StoreError `store-missing` if there is no such engine, the folder is not named, or the prefix is not readable.
 */
export function parseStoreUrl(url: string): StoreUrl {
  const colon = url.indexOf(":");
  const scheme = colon < 0 ? url : url.slice(0, colon);
  const rest = colon < 0 ? "" : url.slice(colon + 1);
  if (scheme === "memory" && rest === "") return { engine: "memory" };
  if ((scheme === "lmdb" || scheme === "journal") && rest !== "") return { engine: scheme, dir: rest };
  if (scheme === "foundationdb") return { engine: "foundationdb", ...parseFoundationUrl(rest) };
  if (scheme === "lmdb" || scheme === "journal") throw new StoreError("store-missing", `the store "${url}" names no folder`, known);
  throw new StoreError("store-missing", `there is no store of the kind "${url}"`, known);
}

/**
 * Opens a store.
 *
 * @throws StoreError as the engine's own open function does, and `store-missing` for engines that this installation lacks.
 */
export async function openKv(url: string, options: OpenOptions): Promise<Kv> {
  const parsed = parseStoreUrl(url);
  if (parsed.engine === "memory") {
    const { MemoryKv } = await import("./memory.ts");
    return new MemoryKv();
  }
  if (parsed.engine === "lmdb") {
    const { openLmdb } = await import("./lmdb.ts");
    return openLmdb(parsed.dir, options);
  }
  if (parsed.engine === "journal") {
    const { openJournal } = await import("./journal.ts");
    return openJournal(parsed.dir, options);
  }
  const { openFoundation } = await import("./foundationdb/open.ts");
  return openFoundation(parsed, options);
}
