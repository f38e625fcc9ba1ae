// A group of commits as one flat list, which native code reads in one walk (native/addon/kv_commit_job.cc).
import type { Commit } from "./kv.ts";

const writeKinds = { put: 0, delete: 1, "delete-range": 2 } as const;

/** Counts, kinds, keys, and the pieces of values where they lie. */
export function flatten(group: readonly Commit[]): (number | Uint8Array | null)[] {
  const list: (number | Uint8Array | null)[] = [];
  for (const { checks, writes } of group) {
    list.push(checks.length, writes.length);
    for (const check of checks) list.push(check.key, check.value);
    for (const write of writes) {
      list.push(writeKinds[write.kind]);
      if (write.kind === "put") list.push(write.key, write.value.length, ...write.value);
      else if (write.kind === "delete") list.push(write.key);
      else list.push(write.from, write.to);
    }
  }
  return list;
}
