// Opens a store by its URL; each engine is loaded only when it is asked for.
import { StoreError } from "./errors.ts";
import type { Kv } from "./kv.ts";
import type { LmdbOptions } from "./lmdb.ts";

export type StoreUrl =
  | { readonly engine: "memory" }
  | { readonly engine: "lmdb"; readonly dir: string }
  | { readonly engine: "foundationdb"; readonly rest: string };

/** What every engine that knows it heeds; see `LmdbOptions`. */
export type OpenOptions = LmdbOptions;

const known = 'Stores are "lmdb:DIR", "memory:" and "foundationdb:CLUSTER-FILE".';

/**
 * Reads `lmdb:DIR`, `memory:` (or `memory`) or `foundationdb:...`.
 *
 * @throws StoreError `store-missing` if there is no such engine, or the folder is not named.
 */
export function parseStoreUrl(url: string): StoreUrl {
  const colon = url.indexOf(":");
  const scheme = colon < 0 ? url : url.slice(0, colon);
  const rest = colon < 0 ? "" : url.slice(colon + 1);
  if (scheme === "memory" && rest === "") return { engine: "memory" };
  if (scheme === "lmdb" && rest !== "") return { engine: "lmdb", dir: rest };
  if (scheme === "foundationdb") return { engine: "foundationdb", rest };
  if (scheme === "lmdb") throw new StoreError("store-missing", `the store "${url}" names no folder`, known);
  throw new StoreError("store-missing", `there is no store of the kind "${url}"`, known);
}

/** An optional dependency: npm removes it again where it cannot be built, so the compiler must not expect it. */
async function requireFoundationdb(): Promise<void> {
  const name: string = "foundationdb";
  try {
    await import(name);
  } catch (error) {
    throw new StoreError(
      "store-missing",
      "the npm package foundationdb is not usable here",
      "Install the FoundationDB client library, version 7.2 or newer (its package is foundationdb-clients), then run `npm install` again: " +
        "npm leaves the package out when the client library is missing.",
      error,
    );
  }
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
  await requireFoundationdb();
  throw new StoreError("store-missing", "this version of Seguro has no foundationdb engine yet", known);
}
