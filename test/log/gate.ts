// Holds back the commits of blocks, for a test to end in its own order.
import { StoreError } from "../../src/store/errors.ts";
import type { Commit } from "../../src/store/kv.ts";
import type { Fate, FaultyKv } from "./faulty-kv.ts";

export function failure(): StoreError {
  return new StoreError("store-failed", "the test says so", "none");
}

/** The first event of the block that a commit puts, or null. */
function blockOf(group: readonly Commit[]): bigint | null {
  for (const write of group[0]?.writes ?? []) {
    if (write.kind === "put" && write.key.length === 31 && write.key.toString("latin1", 22, 23) === "b")
      return write.key.readBigUInt64BE(23);
  }
  return null;
}

/** Holds back commits of blocks, for the test to end in its own order. */
export class Gate {
  readonly waiting = new Map<bigint, (fate: Fate) => void>();
  most = 0;

  constructor(kv: FaultyKv) {
    kv.fate = (group) => {
      const first = blockOf(group);
      if (first === null) return "done";
      return new Promise((resolve) => {
        this.waiting.set(first, resolve);
        this.most = Math.max(this.most, this.waiting.size);
      });
    };
  }

  end(first: bigint, fate: Fate = "done"): void {
    this.waiting.get(first)?.(fate);
    this.waiting.delete(first);
  }
}
