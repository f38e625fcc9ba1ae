// Deliberate faults that are put between the shipped code and what it stands on.
import { BLOCK_HEADER_BYTES, decodeBlockHeader, encodeBlockHeader } from "../../src/log/block.ts";
import { splitRunAt } from "../../src/log/runs.ts";
import type { Database, Transaction } from "../../src/store/foundationdb/transactions.ts";
import type { Commit, Kv, Write } from "../../src/store/kv.ts";
import { isBlockKey } from "../../src/store/layout.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Wraps } from "./sidecar.ts";

/** The space of epoch records. */
const EPOCHS = 2;

/** An engine whose commits are changed on their way. */
function changed(kv: Kv, commit: (group: readonly Commit[]) => ReturnType<Kv["commit"]>): Kv {
  return {
    name: kv.name,
    limits: kv.limits,
    shared: kv.shared,
    get: (key) => kv.get(key),
    range: (from, to, options) => kv.range(from, to, options),
    commit,
    stats: () => kv.stats(),
    close: () => kv.close(),
  };
}

function blockOf(commit: Commit): (Write & { kind: "put" }) | null {
  const put = commit.writes.find((write) => write.kind === "put" && isBlockKey(write.key));
  return put?.kind === "put" ? put : null;
}

function uncheckedBlocks(kv: Kv): Kv {
  return changed(kv, (group) => kv.commit(group.map((one) => (blockOf(one) === null ? one : { ...one, checks: [] }))));
}

/** Whether a physical key belongs to an epoch record: behind the prefix comes the tuple's type, then the key. */
function isEpochKey(key: Buffer): boolean {
  const at = "seguro/".length;
  return key[at] === 1 && key[at + 1] === EPOCHS;
}

function blindToEpochs(database: Database): Database {
  return {
    name: database.name,
    begin: () => {
      const inner = database.begin();
      const blind: Transaction = {
        setReadVersion: (version) => inner.setReadVersion(version),
        get: (key, snapshot) => inner.get(key, snapshot || isEpochKey(key)),
        range: (range, snapshot) => inner.range(range, snapshot || isEpochKey(range.from)),
        addReadConflictKey: (key) => (isEpochKey(key) ? undefined : inner.addReadConflictKey(key)),
        set: (key, value) => inner.set(key, value),
        clear: (key) => inner.clear(key),
        clearRange: (from, to) => inner.clearRange(from, to),
        commit: () => inner.commit(),
        committedVersion: () => inner.committedVersion(),
        cancel: () => inner.cancel(),
      };
      return blind;
    },
    close: () => database.close(),
  };
}

/** The first half of a block's events as a block; null for one event, and for manifests. */
function halfOf({ key, value }: Write & { kind: "put" }): Write | null {
  const block = Buffer.concat(value);
  const header = decodeBlockHeader(block);
  if (header.manifest !== null || header.count < 2n) {
    return null;
  }
  const half = header.firstId + header.count / 2n;
  const run = {
    firstId: header.firstId,
    lastId: header.firstId + header.count - 1n,
    count: Number(header.count),
    bytes: block.subarray(BLOCK_HEADER_BYTES),
  };
  const { before } = splitRunAt(run, half);
  const records = before?.bytes ?? Buffer.alloc(0);
  const shorter = encodeBlockHeader({ ...header, count: half - header.firstId, bytes: BigInt(records.length) });
  return { kind: "put", key, value: [shorter, records] };
}

/** Sends half of a block first, waits a little for the answer, then sends all of it: as a writer that gathers anew after a timeout would. */
function otherBoundaries(kv: Kv, process: SimulatedProcess): Kv {
  return changed(kv, async (group) => {
    const [commit] = group;
    const block = commit === undefined ? null : blockOf(commit);
    const half = block === null ? null : halfOf(block);
    if (commit !== undefined && half !== null) {
      const writes = commit.writes.map((write) => (write === block ? half : write));
      const first = kv.commit([{ checks: commit.checks, writes }]).catch(() => undefined);
      await Promise.race([first, process.sleep(2)]);
    }
    return kv.commit(group);
  });
}

export const WRAPS: Readonly<Record<"uncheckedBlocks" | "blindToEpochs" | "otherBoundaries", Wraps>> = {
  uncheckedBlocks: { kv: uncheckedBlocks },
  blindToEpochs: { database: blindToEpochs },
  otherBoundaries: { kv: otherBoundaries },
};
