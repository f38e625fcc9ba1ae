// A map ordered by its keys' bytes: chunks of sorted entries, so that many interleaved runs of ascending keys stay cheap.

export interface Entry<V> {
  /** The key as Latin-1 text: strings are compared much faster than buffers, and in the order of the bytes. */
  readonly text: string;
  readonly key: Buffer;
  value: V;
}

/** Where an entry is, or would be: chunk and index within it. */
interface Position {
  readonly chunk: number;
  readonly index: number;
  readonly found: boolean;
}

const chunkEntries = 512;

/** The first index in `[0, length)` for which `before` is false. */
function partition(length: number, before: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Chunks and entries are asked for within their bounds; noUncheckedIndexedAccess cannot see that. */
function textAt(entries: readonly Entry<unknown>[] | undefined, index: number): string {
  return ((entries as readonly Entry<unknown>[])[index] as Entry<unknown>).text;
}

function textOf(key: Buffer): string {
  return key.toString("latin1");
}

/** Entries in the order of their keys. */
export class SortedMap<V> {
  /** Never empty chunks, ascending. */
  readonly #chunks: Entry<V>[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: Buffer): V | undefined {
    const at = this.#find(textOf(key));
    return at.found ? this.#chunks[at.chunk]?.[at.index]?.value : undefined;
  }

  set(key: Buffer, value: V): void {
    const text = textOf(key);
    const at = this.#find(text);
    const chunk = this.#chunks[at.chunk];
    if (chunk === undefined) {
      this.#chunks.push([{ text, key, value }]);
      this.#size++;
      return;
    }
    const entry = chunk[at.index];
    if (at.found && entry !== undefined) {
      entry.value = value;
      return;
    }
    chunk.splice(at.index, 0, { text, key, value });
    this.#size++;
    if (chunk.length > chunkEntries) {
      // Where keys ascend the left part stays as full as it is; elsewhere both get half.
      const cut = at.index === chunk.length - 1 ? chunk.length - 1 : chunk.length >>> 1;
      this.#chunks.splice(at.chunk + 1, 0, chunk.splice(cut));
    }
  }

  delete(key: Buffer): void {
    const at = this.#find(textOf(key));
    if (at.found) this.#remove(at.chunk, at.index, 1);
  }

  /** Deletes every key `k` with `from <= k < to`. */
  deleteRange(from: Buffer, to: Buffer): void {
    const bound = textOf(to);
    let { chunk, index } = this.#find(textOf(from));
    for (;;) {
      const entries = this.#chunks[chunk];
      if (entries === undefined) return;
      const end = partition(entries.length, (i) => textAt(entries, i) < bound);
      const whole = end === entries.length;
      const emptied = index === 0 && whole;
      if (end > index) this.#remove(chunk, index, end - index);
      if (!whole) return;
      if (!emptied) chunk++;
      index = 0;
    }
  }

  /** Entries with `from <= key < to`, ascending. The map must not change meanwhile. */
  *ascending(from: Buffer, to: Buffer): Generator<Entry<V>> {
    const end = textOf(to);
    let { chunk, index } = this.#find(textOf(from));
    for (let entries = this.#chunks[chunk]; entries !== undefined; entries = this.#chunks[++chunk], index = 0) {
      for (let entry = entries[index]; entry !== undefined; entry = entries[++index]) {
        if (entry.text >= end) return;
        yield entry;
      }
    }
  }

  /** Entries with `from <= key < to`, descending. The map must not change meanwhile. */
  *descending(from: Buffer, to: Buffer): Generator<Entry<V>> {
    const begin = textOf(from);
    let { chunk, index } = this.#find(textOf(to));
    index--;
    for (;;) {
      const entry = this.#chunks[chunk]?.[index];
      if (entry !== undefined) {
        if (entry.text < begin) return;
        yield entry;
        index--;
      } else if (chunk > 0) {
        chunk--;
        index = (this.#chunks[chunk]?.length ?? 0) - 1;
      } else {
        return;
      }
    }
  }

  #find(text: string): Position {
    // The last chunk that begins at or before the key: new keys beyond a chunk's end go into it, not before the next.
    const after = partition(this.#chunks.length, (i) => textAt(this.#chunks[i], 0) <= text);
    const chunk = Math.max(0, after - 1);
    const entries = this.#chunks[chunk] ?? [];
    const index = partition(entries.length, (i) => textAt(entries, i) < text);
    const entry = entries[index];
    return { chunk, index, found: entry?.text === text };
  }

  #remove(chunk: number, index: number, count: number): void {
    const entries = this.#chunks[chunk] as Entry<V>[];
    entries.splice(index, count);
    this.#size -= count;
    if (entries.length === 0) this.#chunks.splice(chunk, 1);
  }
}
