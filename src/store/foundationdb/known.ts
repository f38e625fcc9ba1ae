// What a key is known to have held at a version of the database: with it a commit can check the key without reading it.
import type { Check } from "../kv.ts";
import type { Version } from "./transactions.ts";

const ENTRIES_MAX = 10_000;
const VALUE_BYTES_MAX = 4096;
/** FoundationDB remembers changes for five seconds of versions; what is older would only be refused. */
const USABLE_MS = 4000;

interface Known {
  readonly value: Buffer | null;
  readonly version: bigint;
  readonly atMs: number;
}

function same(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}

function versionOf(number: bigint): Version {
  const version = Buffer.allocUnsafe(8);
  version.writeBigUInt64BE(number);
  return version;
}

/**
 * Filled from commits whose checks held. A commit that landed at version V proves what a checked key held at V - 1, and no more: transactions that
 * the cluster takes up together share one version, and one that came after this one, at V too, may have changed the key. (For the same reason a value
 * that a commit *wrote* at V is not known to be there at V.)
 */
export class KnownValues {
  readonly #entries = new Map<string, Known>();

  /** The greatest version at which all checks can be told by conflicts alone, or null if one of them has to be read. */
  versionFor(checks: readonly Check[], nowMs: number): Version | null {
    let least: bigint | null = null;
    for (const { key, value } of checks) {
      const known = this.#entries.get(key.toString("latin1"));
      if (known === undefined || nowMs - known.atMs > USABLE_MS || !same(known.value, value)) return null;
      // Unchanged since the least version of all, each key is also unchanged since its own.
      if (least === null || known.version < least) least = known.version;
    }
    return least === null ? null : versionOf(least);
  }

  /** The check held in a commit that was sent at `sentMs` or later and landed at `committed`, and that did not change the key itself. */
  held({ key, value }: Check, committed: Version, sentMs: number): void {
    const name = key.toString("latin1");
    const version = committed.readBigUInt64BE(0) - 1n;
    const known = this.#entries.get(name);
    if (known !== undefined && known.version >= version) return;
    if ((value?.length ?? 0) > VALUE_BYTES_MAX) return;
    const copy = known !== undefined && same(known.value, value) ? known.value : value && Buffer.from(value);
    this.#entries.delete(name);
    this.#entries.set(name, { value: copy, version, atMs: sentMs });
    if (this.#entries.size > ENTRIES_MAX) this.#forgetOldest();
  }

  /** The next commit that checks these reads them. */
  forget(checks: readonly Check[]): void {
    for (const { key } of checks) this.#entries.delete(key.toString("latin1"));
  }

  #forgetOldest(): void {
    for (const name of this.#entries.keys()) {
      this.#entries.delete(name);
      return;
    }
  }
}
