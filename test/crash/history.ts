// What a ship's log must be after crashes: events whose bytes follow from their ids, and a record of what was acknowledged kept outside.

import { Client } from "../../src/client/client.ts";
import { encodeRecords, splitRecords } from "../../src/native/records.ts";
import { Random } from "./random.ts";

const sizes = [0, 1, 37, 500, 500, 500, 500, 4096, 20_000];
const hugeEvery = 97;
const hugeBytes = 5 << 20;

/** The bytes of an event, by its id and the history's seed: mostly small, now and then more than a block holds. */
export function payloadOf(seed: number, id: bigint): Buffer {
  const random = new Random(seed ^ Number(id & 0x7fffffffn));
  const size = id % BigInt(hugeEvery) === 0n ? hugeBytes : (sizes[random.between(0, sizes.length - 1)] ?? 0);
  return Buffer.alloc(size, `${seed}/${id}/`);
}

export interface HistoryOptions {
  readonly ship: string;
  readonly seed: number;
}

/** One ship's history, through any number of sessions. */
export class History {
  readonly ship: string;
  readonly seed: number;
  /** The greatest height that any session was told. */
  acknowledged = 0n;
  /** The last event ever sent. */
  sent = 0n;
  readonly broken: string[] = [];

  constructor({ ship, seed }: HistoryOptions) {
    this.ship = ship;
    this.seed = seed;
  }

  /** Opens for writing, checks the height that is named, then appends until the session ends; says how it ended. `until` may end it earlier. */
  async append(socket: string, until: (acknowledged: bigint) => boolean = () => false): Promise<Error | null> {
    let client: Client;
    try {
      client = await Client.connect(socket, this.ship);
    } catch (error) {
      return error as Error;
    }
    try {
      const { height } = await client.open({ role: "write" });
      this.#check(height);
      client.onHeight = (now) => {
        if (now > this.acknowledged) {
          this.acknowledged = now;
        }
      };
      const random = new Random(this.seed + Number(height & 0x7fffffffn));
      // What is known may be sent again, as a client would that lost its connection.
      for (let next = height > 3n ? height - 2n : 1n; !until(this.acknowledged); ) {
        next = await this.#send(client, next, height, random);
        if (random.between(0, 9) === 0) {
          await client.acknowledged(next - 1n);
        }
      }
      await client.close();
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  async #send(client: Client, from: bigint, height: bigint, random: Random): Promise<bigint> {
    const count = random.between(1, 40);
    const records = encodeRecords(
      from,
      Array.from({ length: count }, (_, index) => payloadOf(this.seed, from + BigInt(index))),
    );
    const last = from + BigInt(count) - 1n;
    if (last > this.sent) {
      this.sent = last;
    }
    if (random.between(0, 4) === 0 && from > height) {
      await client.appendAtomic({ firstId: from, count: BigInt(count), bytes: BigInt(records.length) }, [records]);
    } else {
      await client.append(records);
    }
    return last + 1n;
  }

  #check(height: bigint): void {
    if (height < this.acknowledged) {
      this.broken.push(`acknowledged ${this.acknowledged}, but the log ends at ${height}`);
    } else if (height > this.sent) {
      this.broken.push(`sent ${this.sent}, but the log ends at ${height}`);
    }
  }

  /** Reads everything back; the first thing that is not as it must be, or null. */
  async check(socket: string): Promise<string | null> {
    const client = await Client.connect(socket, this.ship);
    const { height } = await client.open({ role: "read" });
    this.#check(height);
    let next = 1n;
    let held: Buffer = Buffer.alloc(0);
    for await (const piece of client.read({ from: 1n })) {
      held = held.length === 0 ? piece : Buffer.concat([held, piece]);
      const whole = wholeBytes(held);
      for (const { id, payload } of splitRecords(held.subarray(0, whole))) {
        if (id !== next) {
          this.broken.push(`event ${id} where ${next} should be`);
        } else if (!payload.equals(payloadOf(this.seed, id))) {
          this.broken.push(`event ${id} has other bytes`);
        }
        next = id + 1n;
      }
      held = held.subarray(whole);
    }
    if (next !== height + 1n) {
      this.broken.push(`the log ends at ${next - 1n}, not at ${height}`);
    }
    await client.close();
    return this.broken[0] ?? null;
  }
}

/** Bytes of the whole records at the beginning. */
function wholeBytes(bytes: Buffer): number {
  let at = 0;
  while (at + 24 <= bytes.length) {
    const end = at + 24 + Math.ceil(Number(bytes.readBigUInt64LE(at)) / 8) * 8;
    if (end > bytes.length) {
      break;
    }
    at = end;
  }
  return at;
}
