// Reads a whole log back, checks every record and block, and recomputes the digest chain against what the log says of it.
import { createDigestChain, type DigestChain } from "../native/digest-chain.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import type { Pair } from "./block.ts";
import { requireUncut } from "./cut.ts";
import { digestBefore } from "./digest.ts";
import { logDamaged } from "./errors.ts";
import type { Log } from "./log.ts";
import { readDigest } from "./log-records.ts";
import { headerAt, type ReadItem, RecordReader } from "./reader.ts";
import { recordsAfter } from "./runs.ts";
import { findBeginning } from "./tail.ts";

export interface Damage {
  /** The first event that is not there as it was acknowledged; where a log lost its beginning, or all of it, the last one known to be missing. */
  readonly id: bigint;
  readonly code: string;
  readonly text: string;
}

export interface VerifyReport {
  readonly events: bigint;
  readonly lengthBytes: bigint;
  /** The last event that was checked and the digest there. */
  readonly id: bigint;
  readonly digest: Buffer;
  readonly damage: readonly Damage[];
}

/** Checks events base to height; `progress` hears of it as it goes. Damage is in the report, not thrown; a store that cannot be read throws. */
export async function verifyLog(kv: Kv, log: Log, progress: (id: bigint, height: bigint) => void): Promise<VerifyReport> {
  const { base, height, name } = log;
  const before = digestBefore(name.ship, base === 0n ? 1n : base);
  const chain = createDigestChain(before);
  const damage: Damage[] = [];
  const report = (id: bigint, text: string): void => void damage.push({ id, code: "store-damaged", text });
  const reader = new RecordReader(kv, name, base, height);
  let lengthBytes = 0n;
  const recorded = height === 0n ? null : await unlessDamaged(readDigest(kv, name), (text) => report(base, text));
  const whole = height === 0n || (await unlessDamaged(findBeginning(kv, name), (text) => report(base - 1n, text))) !== null;
  if (base === 0n && recorded !== null) {
    report(recorded.id, logDamaged(name, `all of its events are missing, and those up to ${recorded.id} were acknowledged`).message);
  }
  const read = async (): Promise<void> => {
    for (let item = await reader.next(); item !== null; item = await reader.next()) {
      lengthBytes += BigInt(item.bytes.length);
      const header = item.count === 0 ? null : await headerAt(kv, name, item.lastId);
      await advance(chain, item, { header: header?.pair ?? null, recorded }, damage);
      progress(item.lastId, height);
    }
    if (log.pair.id === chain.id && recorded?.id !== chain.id) {
      compare(chain, log.pair, damage);
    }
  };
  if (base !== 0n && whole) {
    await unlessDamaged(read(), (text) => report(reader.nextId, text));
  }
  await unlessDamaged(requireUncut(kv, name), (text) => report(chain.id + 1n, text));
  return { events: chain.id - before.id, lengthBytes, id: chain.id, digest: chain.digest, damage };
}

/** What `checked` gives; null once its damage was reported. */
async function unlessDamaged<T>(checked: Promise<T>, report: (text: string) => void): Promise<T | null> {
  try {
    return await checked;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "store-damaged") {
      throw error;
    }
    report(error.message);
    return null;
  }
}

/** The pairs that may lie at or among the events of an item: of its last block, and of the log. */
interface KnownPairs {
  readonly header: Pair | null;
  readonly recorded: Pair | null;
}

/** Extends the chain over an item; stops where a pair is known, to compare. */
async function advance(chain: DigestChain, item: ReadItem, { header, recorded }: KnownPairs, damage: Damage[]): Promise<void> {
  // A block's pair lies at or before its first event.
  if (header !== null && header.id === chain.id) {
    compare(chain, header, damage);
  }
  let rest = item.bytes;
  const start = chain.id;
  const inside = [header, recorded].filter((pair): pair is Pair => pair !== null && pair.id > start && pair.id < item.lastId);
  for (const pair of inside.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    await chain.advance([rest], pair.id);
    rest = recordsAfter(rest, pair.id);
    compare(chain, pair, damage);
  }
  await chain.advance([rest]);
  if (recorded !== null && recorded.id > start && recorded.id === chain.id) {
    compare(chain, recorded, damage);
  }
}

function compare(computed: Pair, stored: Pair, damage: Damage[]): void {
  if (!computed.digest.equals(stored.digest)) {
    damage.push({
      id: stored.id,
      code: "digest-mismatch",
      text: `the digest at event ${stored.id} is not the one its log recorded: an event up to it was changed`,
    });
  }
}
