// A commit's writes as what a transaction does: sets of fragments, and clears.
import type { Write } from "../kv.ts";
import { cutValue } from "./fragments.ts";
import type { Transaction } from "./transactions.ts";
import { afterFragments, packFragment, packStem } from "./tuple.ts";

export type Mutation =
  | { readonly kind: "set"; readonly key: Buffer; readonly value: Buffer }
  | { readonly kind: "clear"; readonly from: Buffer; readonly to: Buffer };

function mutationsOfWrite(write: Write, prefix: Buffer, fragmentBytes: number): Mutation[] {
  if (write.kind === "delete-range") {
    const inOrder = Buffer.compare(write.from, write.to) < 0;
    return inOrder ? [{ kind: "clear", from: packStem(prefix, write.from), to: packStem(prefix, write.to) }] : [];
  }
  const stem = packStem(prefix, write.key);
  const fragments = write.kind === "put" ? cutValue(write.value, fragmentBytes) : [];
  return [
    ...fragments.map((value, index) => ({ kind: "set" as const, key: packFragment(stem, index), value })),
    // What a longer value at this key has beyond the new one.
    { kind: "clear", from: packFragment(stem, fragments.length), to: afterFragments(stem) },
  ];
}

/** In the order of the writes; made once for all attempts to commit them. */
export function mutationsOf(writes: readonly Write[], prefix: Buffer, fragmentBytes: number): Mutation[] {
  return writes.flatMap((write) => mutationsOfWrite(write, prefix, fragmentBytes));
}

/** Bytes of what is set. */
export function sizeOf(mutations: readonly Mutation[]): number {
  return mutations.reduce((sum, mutation) => sum + (mutation.kind === "set" ? mutation.key.length + mutation.value.length : 0), 0);
}

export function applyMutations(transaction: Transaction, mutations: readonly Mutation[]): void {
  for (const mutation of mutations) {
    if (mutation.kind === "set") transaction.set(mutation.key, mutation.value);
    else transaction.clearRange(mutation.from, mutation.to);
  }
}

/** Whether a write changes what lies under `key`. */
export function touches(write: Write, key: Buffer): boolean {
  if (write.kind !== "delete-range") return write.key.equals(key);
  return Buffer.compare(write.from, key) <= 0 && Buffer.compare(key, write.to) < 0;
}
