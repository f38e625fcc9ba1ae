// What a simulated database holds: every version of every key, and which keys each commit changed.

interface Version {
  readonly version: bigint;
  /** Null where it was cleared. */
  readonly value: Buffer | null;
}

/** Keys from the first to before the second, as Latin-1 text, whose order is that of the bytes. */
export type KeyRange = readonly [from: string, to: string];

export type Mutation =
  | { readonly kind: "set"; readonly key: string; readonly value: Buffer }
  | { readonly kind: "clear"; readonly from: string; readonly to: string };

interface Changes {
  readonly version: bigint;
  readonly ranges: readonly KeyRange[];
}

/** The range that holds one key alone. */
export function keyRange(key: string): KeyRange {
  return [key, `${key}\0`];
}

function meet(one: KeyRange, other: KeyRange): boolean {
  return one[0] < other[1] && other[0] < one[1];
}

export class Versions {
  /** All keys that ever were, in order. */
  readonly #keys: string[] = [];
  readonly #values = new Map<string, Version[]>();
  readonly #changes: Changes[] = [];

  get(key: string, version: bigint): Buffer | null {
    return this.#values.get(key)?.findLast((entry) => entry.version <= version)?.value ?? null;
  }

  /** Rows of `[from, to)` that exist at `version`. */
  *rows([from, to]: KeyRange, version: bigint, reverse: boolean): Generator<readonly [string, Buffer]> {
    const begin = this.#position(from);
    const end = this.#position(to);
    for (let i = 0; i < end - begin; i++) {
      const key = this.#keys[reverse ? end - 1 - i : begin + i] ?? "";
      const value = this.get(key, version);
      if (value !== null) {
        yield [key, value];
      }
    }
  }

  /** Whether anything in `ranges` was changed after `version`. */
  changedSince(ranges: readonly KeyRange[], version: bigint): boolean {
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const changes = this.#changes[i];
      if (changes === undefined || changes.version <= version) {
        return false;
      }
      if (changes.ranges.some((changed) => ranges.some((range) => meet(changed, range)))) {
        return true;
      }
    }
    return false;
  }

  /** Applies mutations, in order, as of `version`, which is above all before it. */
  apply(mutations: readonly Mutation[], version: bigint): void {
    const ranges: KeyRange[] = [];
    for (const mutation of mutations) {
      if (mutation.kind === "set") {
        this.#put(mutation.key, { version, value: mutation.value });
        ranges.push(keyRange(mutation.key));
      } else {
        const found = [...this.rows([mutation.from, mutation.to], version, false)];
        for (const [key] of found) {
          this.#put(key, { version, value: null });
        }
        ranges.push([mutation.from, mutation.to]);
      }
    }
    this.#changes.push({ version, ranges });
  }

  #put(key: string, entry: Version): void {
    const versions = this.#values.get(key);
    if (versions === undefined) {
      this.#keys.splice(this.#position(key), 0, key);
      this.#values.set(key, [entry]);
    } else {
      versions.push(entry);
    }
  }

  /** The first place whose key is not before `key`. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? "") < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
