// What all measures on FoundationDB share: why they cannot be taken here, and how their clients connect.
import { withoutCluster } from "../../test/foundationdb/installed.ts";
import { hasFoundationdbClient } from "../lib/programs.ts";

/** Null where everything is there: servers, client library, npm package, and what the C control is built with. */
export function skipReason(): string | null {
  if (withoutCluster !== false) {
    return withoutCluster;
  }
  return hasFoundationdbClient() ? null : "no libfdb_c with its headers for the C control";
}

/** What libseguro takes by itself where the sidecar is on the same machine. */
export const TRANSPORT = "ring";
