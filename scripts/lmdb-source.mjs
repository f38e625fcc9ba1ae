// Prints the folder of stock LMDB's source: it comes with the npm package "lmdb", which lies below us in a clone, and beside us where Seguro is a
// dependency. With --relative it is relative to the project, as gyp wants it. (The package's "exports" hide its package.json from `require`.)
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const inside = "lmdb/dependencies/lmdb-data-v1/libraries/liblmdb";
const candidates = (createRequire(import.meta.url).resolve.paths("lmdb") ?? []).map((folder) => path.join(folder, inside));
const found = candidates.find((folder) => existsSync(path.join(folder, "mdb.c")));
if (found === undefined) {
  console.error("seguro: the npm package lmdb, with LMDB's source in it, is not installed");
  process.exit(1);
}
console.log(process.argv.includes("--relative") ? path.relative(root, found) : found);
