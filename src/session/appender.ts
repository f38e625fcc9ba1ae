// The append flow of a session over a stream: cuts the bytes of APPEND frames into checked records, and batches by their announced bytes.
import { BLOCK_BYTES, PIECE_BYTES } from "../log/limits.ts";
import type { Writer } from "../log/writer.ts";
import { type Assembler, createAssembler } from "../native/assembler.ts";
import type { Batch } from "../wire/messages.ts";
import { AppendRules, expectedIdOf, refusalOf } from "./append-rules.ts";

export class Appender {
  readonly #rules: AppendRules;
  readonly #assembler: Assembler;
  /** Bytes still to come of the batch that is open; 0n without one. */
  #batchBytesLeft = 0n;

  constructor(writer: Writer, eventBytesMax: number) {
    this.#rules = new AppendRules(writer);
    this.#assembler = createAssembler({ runBytes: BLOCK_BYTES, pieceBytes: PIECE_BYTES, eventBytesMax });
    this.#assembler.expect(expectedIdOf(writer));
  }

  /** The next bytes of the record stream. Throws a SeguroError when they break a rule; what was whole before them is appended. */
  push(bytes: Buffer): void {
    let rest = bytes;
    while (this.#batchBytesLeft > 0n && rest.length > 0) {
      const taken = BigInt(rest.length) < this.#batchBytesLeft ? rest.length : Number(this.#batchBytesLeft);
      this.#assemble(rest.subarray(0, taken));
      rest = rest.subarray(taken);
      this.#batchBytesLeft -= BigInt(taken);
      if (this.#batchBytesLeft === 0n) {
        this.#rules.endBatch(this.#assembler.atBoundary);
      }
    }
    if (rest.length > 0) {
      this.#assemble(rest);
    }
  }

  /** Announces an atomic batch: the records that follow belong to it. */
  beginBatch(plan: Batch): void {
    this.#rules.beginBatch(plan, this.#assembler.atBoundary);
    this.#batchBytesLeft = plan.bytes;
  }

  #assemble(bytes: Buffer): void {
    const status = this.#assembler.push(bytes);
    for (let taken = this.#assembler.take(); taken !== null; taken = this.#assembler.take()) {
      this.#rules.take(taken);
    }
    const refusal = refusalOf(status, this.#assembler.failedId);
    if (refusal !== null) {
      throw refusal;
    }
  }
}
