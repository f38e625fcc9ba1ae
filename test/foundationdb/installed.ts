// What of FoundationDB is installed on this machine: server, command line, client library and npm package; and why tests are skipped where it is not.
import { accessSync, constants, existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/** Where packages and builds put them; servers need not be on an ordinary user's path. */
const PROGRAM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin"];
const LIBRARY_FOLDERS = [
  "/usr/local/lib",
  "/usr/lib",
  "/usr/lib64",
  `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`,
];
const LIBRARY = "libfdb_c.so";
const PACKAGE = "foundationdb";

function findProgram(name: string): string | null {
  for (const folder of [...(process.env.PATH ?? "").split(":"), ...PROGRAM_FOLDERS]) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not there: the next folder.
    }
  }
  return null;
}

function hasLibrary(): boolean {
  const folders = [...(process.env.LD_LIBRARY_PATH ?? "").split(":").filter((folder) => folder !== ""), ...LIBRARY_FOLDERS];
  return folders.some((folder) => existsSync(path.join(folder, LIBRARY)));
}

function hasPackage(): boolean {
  try {
    createRequire(import.meta.url).resolve(PACKAGE);
    return true;
  } catch {
    return false;
  }
}

/** The programs that clusters are made of. Throws where they are not installed: ask `withoutCluster` before. */
export function serverPrograms(): { readonly server: string; readonly cli: string } {
  const [server, cli] = [findProgram("fdbserver"), findProgram("fdbcli")];
  if (server === null || cli === null) {
    throw new Error(`FoundationDB is not installed: no ${server === null ? "fdbserver" : "fdbcli"}`);
  }
  return { server, cli };
}

/** For the `skip` of tests that start a cluster of their own: false, or what is missing. */
export const withoutCluster: string | false = (() => {
  const missing = [
    ...["fdbserver", "fdbcli"].filter((program) => findProgram(program) === null),
    ...(hasLibrary() ? [] : [LIBRARY]),
    ...(hasPackage() ? [] : [`npm package ${PACKAGE}`]),
  ];
  return missing.length === 0 ? false : `FoundationDB is not installed: no ${missing.join(", no ")} (docs/foundationdb.md)`;
})();
