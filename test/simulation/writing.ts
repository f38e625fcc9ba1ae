// One session's appends in a simulated process: payloads from dice, cut into runs and pieces as the session's assembler does.
import { BLOCK_BYTES, PIECE_BYTES } from "../../src/log/limits.ts";
import type { Writer } from "../../src/log/writer.ts";
import { type Assembler, AssemblerStatus, createAssembler } from "../../src/native/assembler.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { EVENT_BYTES_MAX } from "../../src/wire/constants.ts";
import type { Chance } from "./chance.ts";
import { type History, markOf } from "./history.ts";

/** Small ones, and around each limit. */
const SIZES = [0, 1, 8, 60, 300, 1000, 3000] as const;
const HUGE_SIZES = [BLOCK_BYTES - 24, BLOCK_BYTES, PIECE_BYTES - 24, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES] as const;

export interface Habits {
  /** How often an event is as large as a block, or as a piece. */
  readonly huge: number;
  readonly atomic: number;
  readonly batchMax: number;
  /** How often it stores metadata beside a batch. */
  readonly metadata: number;
  /** How long it pauses, where it does. */
  readonly thinkMs: number;
}

export class Writing {
  readonly session: string;
  readonly writer: Writer;
  readonly #history: History;
  readonly #chance: Chance;
  readonly #habits: Habits;
  readonly #assembler: Assembler;
  readonly #payloads = new Map<bigint, Buffer>();
  /** The next event to send. */
  #next: bigint;

  constructor(session: string, writer: Writer, history: History, chance: Chance, habits: Habits) {
    this.session = session;
    this.writer = writer;
    this.#history = history;
    this.#chance = chance;
    this.#habits = habits;
    this.#assembler = createAssembler({ runBytes: BLOCK_BYTES, pieceBytes: PIECE_BYTES, eventBytesMax: EVENT_BYTES_MAX });
    const { height } = writer.claim.log;
    this.#assembler.expect(height === 0n ? 0n : height + 1n);
    this.#next = height + 1n;
  }

  get height(): bigint {
    return this.writer.claim.log.height;
  }

  /** The last event that was sent. */
  get sent(): bigint {
    return this.#next - 1n;
  }

  /** Sends a few new events, at once; sometimes old ones again before them. */
  append(): void {
    if (this.#payloads.size > 0 && this.#chance.odds(0.08)) {
      this.#repeat();
    }
    const count = this.#chance.between(1, this.#habits.batchMax);
    const payloads = Array.from({ length: count }, (_, index) => this.#payload(this.#next + BigInt(index)));
    const atomic = this.#chance.odds(this.#habits.atomic);
    const marks = payloads.map(markOf);
    this.#history.add({ kind: "sent", session: this.session, firstId: this.#next, marks, atomic });
    const records = encodeRecords(this.#next, payloads);
    if (atomic) {
      const plan = { firstId: this.#next, count: BigInt(count), lengthBytes: BigInt(records.length) };
      this.writer.push({ kind: "batch-begin", plan });
      this.#push(records);
      this.writer.push({ kind: "batch-end" });
    } else {
      this.#push(records);
    }
    this.#next += BigInt(count);
  }

  /** The events of this session from some one on, the same bytes. */
  #repeat(): void {
    const ids = [...this.#payloads.keys()];
    const from = ids[this.#chance.between(0, ids.length - 1)] ?? this.#next;
    const again = ids.filter((id) => id >= from).map((id) => this.#payloads.get(id) ?? Buffer.alloc(0));
    this.#push(encodeRecords(from, again));
  }

  #payload(id: bigint): Buffer {
    const huge = this.#chance.odds(this.#habits.huge);
    const payload = Buffer.alloc(huge ? this.#chance.pick(HUGE_SIZES) : this.#chance.pick(SIZES), `${this.session}/${id}/`);
    this.#payloads.set(id, payload);
    return payload;
  }

  #push(records: Buffer): void {
    const cut = this.#chance.odds(0.2) ? this.#chance.between(0, records.length) : records.length;
    for (const chunk of [records.subarray(0, cut), records.subarray(cut)]) {
      const status = this.#assembler.push(chunk);
      if (status !== AssemblerStatus.OK) {
        throw new Error(`simulation: the assembler says ${status}`);
      }
      for (let taken = this.#assembler.take(); taken !== null; taken = this.#assembler.take()) {
        this.writer.push("run" in taken ? { kind: "run", run: taken.run } : { kind: "large", piece: taken.large });
      }
    }
  }
}
