// Work on many things, some at a time.

/** Each is one ship, and a few reads of the store, one after the other: enough that a cluster's answers do not come one after the other. */
const AT_ONCE = 64;

/**
 * What `map` makes of each, in their order. A cluster may hold ten thousands of ships: read all at once, they would keep sessions' own reads and
 * commits waiting, and memory for all answers would be needed together.
 */
export async function mapSomeAtOnce<Item, Result>(items: readonly Item[], map: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(map))));
  }
  return results;
}
