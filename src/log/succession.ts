// Who may replace a ship's epoch record in a store that several processes share, and how the other side is named.
import { type Ship, shipText } from "../ship.ts";
import type { Kv } from "../store/kv.ts";
import { type BeatRecord, decodeRecord, type EpochRecord, keys } from "../store/layout.ts";
import { SeguroError } from "../wire/errors.ts";
import { instanceOf, type WriterIdentity } from "./beat.ts";
import type { Clock } from "./clock.ts";
import type { Committer } from "./committer.ts";
import { decodeBeat, Observer } from "./observe.ts";

export function decodeEpoch(value: Buffer): EpochRecord {
  return decodeRecord<EpochRecord>(value, "an epoch record", ["epoch", "writer", "session"]);
}

/** "session 4 (pid 4242) of process 811 on db2": a session and where it runs. `beat` is null when its process has none (any more). */
function ownerText(record: EpochRecord, beat: BeatRecord | null): string {
  return beat === null ? record.session : `${record.session} of process ${beat.pid} on ${beat.host}`;
}

/** As `ownerText`, with the beat as it is now. */
export async function describeOwner(kv: Kv, record: EpochRecord): Promise<string> {
  const value = await kv.get(keys.beat(record.writer));
  return ownerText(record, value === null ? null : decodeBeat(value));
}

/** For a writer whose check failed; names who has taken over, where that can still be read. */
export async function fencedError(kv: Kv, ship: Ship): Promise<SeguroError> {
  const hint = "stop this runtime: two are writing one ship's log";
  let by = "another writer";
  try {
    const value = await kv.get(keys.epoch(ship));
    by = value === null ? by : await describeOwner(kv, decodeEpoch(value));
  } catch (cause) {
    return new SeguroError("fenced", `another writer has taken over ${shipText(ship)}`, hint, { cause });
  }
  return new SeguroError("fenced", `${shipText(ship)} was taken over by ${by}`, hint);
}

export class Succession {
  readonly #kv: Kv;
  readonly #committer: Committer;
  readonly #writer: WriterIdentity;
  readonly #observer: Observer;
  readonly clock: Clock;
  readonly #burials = new Map<string, Promise<void>>();

  constructor(kv: Kv, committer: Committer, clock: Clock, writer: WriterIdentity) {
    this.#kv = kv;
    this.#committer = committer;
    this.#writer = writer;
    this.clock = clock;
    this.#observer = new Observer(kv, clock);
  }

  /**
   * Resolves when the claim in `record` may be replaced: it was released, it is this very process's, its owner ended in order, was an earlier
   * start of this instance, or showed no life for a whole lease. Throws `ship-busy` when its owner lives, and the store's errors.
   */
  async permit(ship: Ship, record: EpochRecord): Promise<void> {
    if (record.released === true || record.writer === this.#writer.id) {
      return;
    }
    const seen = await this.#kv.get(keys.beat(record.writer));
    if (seen === null) {
      return;
    }
    if (this.#isEarlierStart(record.writer, decodeBeat(seen))) {
      await this.#bury(record.writer, seen);
      return;
    }
    const observed = await this.#observer.observe(record.writer);
    if (observed.state === "alive") {
      const owner = ownerText(record, decodeBeat(observed.value));
      const hint = `stop that one first, or take the ship from it by hand: \`seguro fence ${ship.name}\`; two writers would fork the log`;
      throw new SeguroError("ship-busy", `${shipText(ship)} is being written by ${owner}`, hint);
    }
    if (observed.state === "still") {
      await this.#bury(record.writer, observed.value);
    }
  }

  /**
   * Whether a writer is dead because this process holds what it held: the lock of the very same state file, under the same boot of the same machine. A
   * copied file has another inode or another boot.
   */
  #isEarlierStart(writer: string, { boot, lock }: BeatRecord): boolean {
    const own = this.#writer;
    return instanceOf(writer) === instanceOf(own.id) && own.lock !== null && lock === own.lock && boot === own.boot;
  }

  /** Removes a beat that protects nothing any more, if it still is what was seen: the owner's other ships need not be waited for then. */
  #bury(writer: string, value: Buffer): Promise<void> {
    const key = keys.beat(writer);
    const burial =
      this.#burials.get(writer) ??
      this.#committer.submit({ checks: [{ key, value }], writes: [{ kind: "delete", key }] }, 0).then(
        () => void this.#burials.delete(writer),
        () => void this.#burials.delete(writer),
      );
    this.#burials.set(writer, burial);
    return burial;
  }
}
