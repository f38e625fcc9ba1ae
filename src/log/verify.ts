// Reads a whole log back, checks every record and block, and recomputes the digest chain against what the blocks say.
import { createDigestChain } from "../native/digest-chain.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { digestBefore } from "./digest.ts";
import type { Log } from "./log.ts";
import { headerAt, RecordReader } from "./reader.ts";
import { recordsAfter } from "./runs.ts";

export interface Damage {
  /** The first event that is not there as it was acknowledged. */
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
  if (base === 0n) {
    return { events: 0n, lengthBytes: 0n, id: 0n, digest: before.digest, damage: [] };
  }
  const chain = createDigestChain(before);
  const damage: Damage[] = [];
  const reader = new RecordReader(kv, name, base, height);
  let lengthBytes = 0n;
  try {
    for (let item = await reader.next(); item !== null; item = await reader.next()) {
      lengthBytes += BigInt(item.bytes.length);
      const known = item.count === 0 ? null : await headerAt(kv, name, item.lastId);
      if (known !== null && known.pair.id === chain.id) {
        compare(chain.digest, known.pair.digest, known.pair.id, damage);
      }
      // The block's own pair lies at or before its first event: stop there once, compare, and go on.
      if (known !== null && known.pair.id > chain.id && known.pair.id <= item.lastId) {
        await chain.advance([item.bytes], known.pair.id);
        compare(chain.digest, known.pair.digest, known.pair.id, damage);
        await chain.advance([recordsAfter(item.bytes, known.pair.id)]);
      } else {
        await chain.advance([item.bytes]);
      }
      progress(item.lastId, height);
    }
    if (log.pair.id === chain.id) {
      compare(chain.digest, log.pair.digest, chain.id, damage);
    }
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "store-damaged") {
      throw error;
    }
    damage.push({ id: reader.nextId, code: error.code, text: error.message });
  }
  return { events: chain.id - before.id, lengthBytes, id: chain.id, digest: chain.digest, damage };
}

function compare(computed: Buffer, stored: Buffer, id: bigint, damage: Damage[]): void {
  if (!computed.equals(stored)) {
    damage.push({
      id,
      code: "digest-mismatch",
      text: `the digest at event ${id} is not the one its log recorded: an event up to it was changed`,
    });
  }
}
