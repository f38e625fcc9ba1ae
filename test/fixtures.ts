// The event logs that tests run on: written by Vere's own code, kept as archives beside their manifests.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

/** One line of a manifest: what an event must be. */
export interface ManifestLine {
  id: bigint;
  lengthBytes: number;
  sha256: string;
}

/** The ship of the fixture `pier-small`. */
export const pierSmallShip = { number: 0x60daf13fn, name: "~sampel-palnet", fake: false, life: 5 };

const folder = path.join(import.meta.dirname, "fixtures");

/** Unpacks the small pier (2,000 events, 2.8 MB) below `into` and gives its folder. */
export function unpackPierSmall(into: string): string {
  execFileSync("tar", ["-xzf", path.join(folder, "pier-small.tar.gz"), "-C", into]);
  return path.join(into, "pier-small");
}

/** The manifest of the small pier. */
export function pierSmallManifest(): ManifestLine[] {
  return parseManifest(readFileSync(path.join(folder, "pier-small.manifest.tsv"), "utf8"));
}

/** Parses `event, bytes, mug, sha256` lines. */
export function parseManifest(text: string): ManifestLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [id, lengthBytes, , sha256] = line.split("\t");
      return { id: BigInt(id ?? ""), lengthBytes: Number(lengthBytes), sha256: sha256 ?? "" };
    });
}
