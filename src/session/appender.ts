// The append flow of one session: the record stream of APPEND frames, atomic batches, and what is acknowledged.
import { BLOCK_BYTES, PIECE_BYTES } from "../log/limits.ts";
import type { Writer } from "../log/writer.ts";
import { type Assembled, type Assembler, AssemblerStatus, createAssembler } from "../native/assembler.ts";
import { EVENT_ID_MAX } from "../wire/constants.ts";
import { type ErrorName, SeguroError } from "../wire/errors.ts";
import type { Batch } from "../wire/messages.ts";

interface OpenBatch {
  readonly plan: Batch;
  bytesLeft: bigint;
  nextId: bigint;
}

const REFUSALS: Readonly<Record<number, { code: ErrorName; text: string; hint: string }>> = {
  [AssemblerStatus.BAD_RECORD]: {
    code: "bad-record",
    text: "a record fails its checks",
    hint: "bytes were changed on the way, or the client frames records wrongly; nothing from this record on was stored",
  },
  [AssemblerStatus.GAP]: { code: "append-gap", text: "an event does not follow the one before it", hint: "send the events between first" },
  [AssemblerStatus.TOO_LARGE]: { code: "event-too-large", text: "an event is above the limit", hint: "OPENED names the limit" },
  [AssemblerStatus.BAD_ID]: { code: "bad-id", text: "an event id is out of range", hint: "ids are 1 to 2^63 - 1" },
};

function badBatch(text: string, id: bigint): SeguroError {
  return new SeguroError("bad-batch", text, "BATCH announces first id, count and bytes of exactly the records that follow", { id });
}

export class Appender {
  readonly #writer: Writer;
  readonly #assembler: Assembler;
  #batch: OpenBatch | null = null;

  constructor(writer: Writer, eventBytesMax: number) {
    this.#writer = writer;
    this.#assembler = createAssembler({ runBytes: BLOCK_BYTES, pieceBytes: PIECE_BYTES, eventBytesMax });
    const { height } = writer.claim.log;
    this.#assembler.expect(height === 0n ? 0n : height + 1n);
  }

  /** The next bytes of the record stream. Throws a SeguroError when they break a rule; what was whole before them is appended. */
  push(bytes: Buffer): void {
    let rest = bytes;
    while (this.#batch !== null && rest.length > 0) {
      const taken = BigInt(rest.length) < this.#batch.bytesLeft ? rest.length : Number(this.#batch.bytesLeft);
      this.#assemble(rest.subarray(0, taken));
      rest = rest.subarray(taken);
      this.#batch.bytesLeft -= BigInt(taken);
      if (this.#batch.bytesLeft === 0n) {
        this.#endBatch(this.#batch);
      }
    }
    if (rest.length > 0) {
      this.#assemble(rest);
    }
  }

  /** Announces an atomic batch: the records that follow belong to it. */
  beginBatch(plan: Batch): void {
    if (this.#batch !== null || !this.#assembler.atBoundary) {
      throw badBatch("a batch begins before the last batch or record has ended", plan.firstId);
    }
    const fits = plan.count >= 1n && plan.firstId >= 1n && plan.firstId + plan.count - 1n <= EVENT_ID_MAX && plan.bytes % 8n === 0n;
    if (!fits || plan.bytes < plan.count * 24n) {
      throw badBatch("a batch whose numbers cannot be right", plan.firstId);
    }
    this.#writer.push({ kind: "batch-begin", plan: { firstId: plan.firstId, count: plan.count, lengthBytes: plan.bytes } });
    this.#batch = { plan, bytesLeft: plan.bytes, nextId: plan.firstId };
  }

  #assemble(bytes: Buffer): void {
    const status = this.#assembler.push(bytes);
    for (let taken = this.#assembler.take(); taken !== null; taken = this.#assembler.take()) {
      this.#handOver(taken);
    }
    const refusal = REFUSALS[status];
    if (refusal !== undefined) {
      const id = this.#assembler.failedId;
      throw new SeguroError(refusal.code, `event ${id}: ${refusal.text}`, refusal.hint, { id });
    }
  }

  #handOver(taken: Assembled): void {
    if (this.#batch !== null) {
      this.#countInBatch(this.#batch, taken);
    }
    this.#writer.push("run" in taken ? { kind: "run", run: taken.run } : { kind: "large", piece: taken.large });
  }

  #countInBatch(batch: OpenBatch, taken: Assembled): void {
    const firstId = "run" in taken ? taken.run.firstId : taken.large.id;
    if (firstId !== batch.nextId) {
      throw badBatch(`event ${firstId} where the batch should go on with ${batch.nextId}`, firstId);
    }
    if ("run" in taken) {
      batch.nextId = taken.run.lastId + 1n;
    } else if (taken.large.last) {
      batch.nextId = firstId + 1n;
    }
  }

  #endBatch(batch: OpenBatch): void {
    const { firstId, count } = batch.plan;
    if (!this.#assembler.atBoundary || batch.nextId !== firstId + count) {
      throw badBatch(`the batch's bytes end at event ${batch.nextId - 1n}, not at ${firstId + count - 1n}`, batch.nextId);
    }
    this.#batch = null;
    this.#writer.push({ kind: "batch-end" });
  }
}
