// What comes over a ring, turned into the same calls that the frames of a stream make: records to the rules, other frames to the session.
import type { Writer } from "../log/writer.ts";
import type { RingItem } from "../native/ring-hub.ts";
import { errorNameOf, SeguroError } from "../wire/errors.ts";
import type { FrameHeader } from "../wire/frames.ts";
import type { Batch } from "../wire/messages.ts";
import { AppendRules, refusalOf } from "./append-rules.ts";

export class RingIntake {
  readonly #rules: AppendRules | null;
  readonly #frame: (header: FrameHeader, body: Buffer) => void;
  #atBoundary = true;

  /** `writer` is null for a session that may not append. `frame` takes every other frame, and the empty bodies of APPENDs that are refused. */
  constructor(writer: Writer | null, frame: (header: FrameHeader, body: Buffer) => void) {
    this.#rules = writer === null ? null : new AppendRules(writer);
    this.#frame = frame;
  }

  /** Throws a SeguroError when something breaks a rule; what was whole before it is appended. */
  take(item: RingItem): void {
    switch (item.kind) {
      case "assembled":
        this.#requireRules().take(item.taken);
        break;
      case "frame":
        this.#atBoundary = item.atBoundary;
        this.#frame(item.header, item.body);
        break;
      case "batch-end":
        this.#requireRules().endBatch(item.atBoundary);
        break;
      case "refused":
        throw refusalOf(item.status, item.id) ?? new Error(`invariant: a record was refused with status ${item.status}`);
      case "broken":
        throw new SeguroError(errorNameOf(item.code), item.reason, "the client is broken, or another process writes its memory");
    }
  }

  /** Of the BATCH frame that is being handed over. */
  beginBatch(plan: Batch): void {
    this.#requireRules().beginBatch(plan, this.#atBoundary);
  }

  #requireRules(): AppendRules {
    if (this.#rules === null) {
      throw new Error("invariant: records from a session that may not append");
    }
    return this.#rules;
  }
}
