// Whether a pier and a log agree as far as both go, by the digest chain; and where they part when they do not.
import type { Client } from "../client/client.ts";
import { createDigestChain, type DigestPair } from "../native/digest-chain.ts";
import { CliError, Exit } from "./failure.ts";
import { count } from "./format.ts";
import type { PierEvents } from "./pier-events.ts";

/** Finds the last checkpoint at which log and pier agree; checkpoints are in rising order and the last one is known to differ. */
async function lastAgreed(client: Client, checkpoints: readonly DigestPair[]): Promise<number> {
  let agreed = -1;
  let differs = checkpoints.length - 1;
  while (differs - agreed > 1) {
    const middle = (agreed + differs) >> 1;
    const pair = checkpoints[middle];
    if (pair === undefined) {
      break;
    }
    const { digest } = await client.digest(pair.id);
    if (digest.equals(pair.digest)) {
      agreed = middle;
    } else {
      differs = middle;
    }
  }
  return agreed;
}

async function differsError(client: Client, ship: string, firstId: bigint, checkpoints: readonly DigestPair[]): Promise<CliError> {
  const agreed = await lastAgreed(client, checkpoints);
  const from = (checkpoints[agreed]?.id ?? firstId - 1n) + 1n;
  const to = checkpoints[agreed + 1]?.id ?? from;
  return new CliError(
    "import-differs",
    `${ship}: the log and the pier hold different events; the first difference is in events ${count(from)} to ${count(to)}. Nothing was written`,
    "after a breach, `seguro retire` ends the old log and the import starts a new one; without one, the ship has run twice: find out which copy is the right one",
    Exit.REFUSED,
  );
}

/**
 * Reads the pier's events `firstId` to `lastId`, all of them in the log, and compares digests there. Rejects with `import-differs`.
 *
 * @param onEvent hears how far the comparison has come.
 */
export async function compareWithLog(
  client: Client,
  ship: string,
  pier: PierEvents,
  firstId: bigint,
  lastId: bigint,
  onEvent: (id: bigint) => void,
): Promise<void> {
  // The chain starts from the log's own digest before the pier's first event: a chopped pier is compared over what it still has.
  const chain = createDigestChain(await client.digest(firstId - 1n));
  const checkpoints: DigestPair[] = [];
  for await (const run of pier.runs(firstId)) {
    const pair = await chain.advance([run.bytes], lastId);
    checkpoints.push(pair);
    onEvent(pair.id);
    if (run.lastId >= lastId && run.ends) {
      break;
    }
  }
  const theirs = await client.digest(lastId);
  if (chain.id !== lastId || !chain.digest.equals(theirs.digest)) {
    throw await differsError(client, ship, firstId, checkpoints);
  }
}
