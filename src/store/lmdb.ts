// The embedded engine on stock LMDB 0.9 in a folder of its own, flushed with every commit. The work is done in native/addon/lmdb_*.
import path from "node:path";
import { EmbeddedKv, type EmbeddedOptions } from "./embedded.ts";
import type { Kv, KvLimits } from "./kv.ts";

/**
 * One commit at a time, because LMDB has one writer; a group goes through in one flush however many members it has. A value occupies
 * consecutive pages, which get rare in a store whose values differ much in size, hence 8 MiB; and a commit's pages wait in memory.
 */
const limits: KvLimits = {
  valueBytes: 8 * 1024 * 1024,
  commitBytes: 32 * 1024 * 1024,
  commitsInFlight: 1,
  commitsInFlightPerLog: 1,
  groupMembers: Number.MAX_SAFE_INTEGER,
};

/**
 * Opens the LMDB store in a folder (`data.mdb` and `lock.mdb` as stock LMDB tools read them, and `seguro.lock`), with an exclusive lock that ends
 * with the process.
 *
 * @throws StoreError as `EmbeddedKv` does.
 */
export function openLmdb(dir: string, options: EmbeddedOptions): Kv {
  return new EmbeddedKv("lmdb", path.resolve(dir), { limits }, options);
}
