// Compares records that a client sends again with what the log holds: equal bytes are acknowledged again, others are a double boot.
import type { Kv } from "../store/kv.ts";
import { SeguroError } from "../wire/errors.ts";
import type { Log } from "./log.ts";
import { RecordReader } from "./reader.ts";

/** A cursor over stored records, compared with a stream that comes in pieces. */
export class RepeatCheck {
  readonly #reader: RecordReader;
  #held: Buffer = Buffer.alloc(0);

  /** The stream begins with event `from`, which the log holds, as it holds everything through `through`. */
  constructor(kv: Kv, log: Log, from: bigint, through: bigint) {
    this.#reader = new RecordReader(kv, log.name, from, through);
  }

  /** Throws `append-conflict` unless `bytes` are the next bytes of the stored record stream. */
  async compare(bytes: Buffer, id: bigint): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#held.length === 0) {
        this.#held = (await this.#reader.next())?.bytes ?? this.#held;
      }
      const length = Math.min(this.#held.length, bytes.length - at);
      if (length === 0 || this.#held.compare(bytes, at, at + length, 0, length) !== 0) {
        throw new SeguroError(
          "append-conflict",
          `the log holds another event where this client sends one, at or soon after event ${id}`,
          "two runtimes have written this ship's log: stop both and find out which copy is right; do not boot the other again",
          { id },
        );
      }
      this.#held = this.#held.subarray(length);
      at += length;
    }
  }
}
