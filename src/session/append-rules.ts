// The rules of an append flow, whichever transport its records came over: atomic batches, refusals, and handing over to the writer.
import type { Writer } from "../log/writer.ts";
import { type Assembled, AssemblerStatus } from "../native/assembler.ts";
import { EVENT_ID_MAX } from "../wire/constants.ts";
import { type ErrorName, SeguroError } from "../wire/errors.ts";
import type { Batch } from "../wire/messages.ts";

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

/** The error that an assembler's status stands for; null for OK. */
export function refusalOf(status: number, id: bigint): SeguroError | null {
  const refusal = REFUSALS[status];
  return refusal === undefined ? null : new SeguroError(refusal.code, `event ${id}: ${refusal.text}`, refusal.hint, { id });
}

function badBatch(text: string, id: bigint): SeguroError {
  return new SeguroError("bad-batch", text, "BATCH announces first id, count and bytes of exactly the records that follow", { id });
}

/** What the flow's first record must be called; 0n for any. */
export function expectedIdOf(writer: Writer): bigint {
  const { height } = writer.claim.log;
  return height === 0n ? 0n : height + 1n;
}

export class AppendRules {
  readonly #writer: Writer;
  #batch: { readonly plan: Batch; nextId: bigint } | null = null;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  /** Announces an atomic batch: the records that follow belong to it. `atBoundary`: no record is half way. */
  beginBatch(plan: Batch, atBoundary: boolean): void {
    if (this.#batch !== null || !atBoundary) {
      throw badBatch("a batch begins before the last batch or record has ended", plan.firstId);
    }
    const fits = plan.count >= 1n && plan.firstId >= 1n && plan.firstId + plan.count - 1n <= EVENT_ID_MAX && plan.bytes % 8n === 0n;
    if (!fits || plan.bytes < plan.count * 24n) {
      throw badBatch("a batch whose numbers cannot be right", plan.firstId);
    }
    this.#writer.push({ kind: "batch-begin", plan: { firstId: plan.firstId, count: plan.count, lengthBytes: plan.bytes } });
    this.#batch = { plan, nextId: plan.firstId };
  }

  /** The next checked records, or the next piece of one. */
  take(taken: Assembled): void {
    if (this.#batch !== null) {
      this.#countInBatch(this.#batch, taken);
    }
    this.#writer.push("run" in taken ? { kind: "run", run: taken.run } : { kind: "large", piece: taken.large });
  }

  /** All bytes that the batch announced have come. */
  endBatch(atBoundary: boolean): void {
    if (this.#batch === null) {
      throw new Error("invariant: the end of a batch that was never begun");
    }
    const { plan, nextId } = this.#batch;
    if (!atBoundary || nextId !== plan.firstId + plan.count) {
      throw badBatch(`the batch's bytes end at event ${nextId - 1n}, not at ${plan.firstId + plan.count - 1n}`, nextId);
    }
    this.#batch = null;
    this.#writer.push({ kind: "batch-end" });
  }

  #countInBatch(batch: { nextId: bigint }, taken: Assembled): void {
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
}
