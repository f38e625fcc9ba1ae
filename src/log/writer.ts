// One session's appends: judges how runs follow each other, repeats, batches and huge events, and hands what is new to the sealer.
import type { LargePiece, Run } from "../native/assembler.ts";
import type { LanePort } from "../native/ring-lane.ts";
import type { Kv, Write } from "../store/kv.ts";
import { SeguroError } from "../wire/errors.ts";
import type { Claim } from "./claim.ts";
import type { Committer } from "./committer.ts";
import { Creation } from "./creation.ts";
import { asSeguroError } from "./errors.ts";
import { LaneSwitch } from "./lane.ts";
import { BATCH_BYTES_MAX, IN_FLIGHT_BYTES, PIECE_BYTES } from "./limits.ts";
import { RepeatCheck } from "./repeat.ts";
import { splitRunAt } from "./runs.ts";
import { Sealer, type SealerEvents } from "./sealer.ts";
import { Staging } from "./staging.ts";
import { fencedError } from "./succession.ts";

/** An atomic batch as its client announced it. */
export interface BatchPlan {
  readonly firstId: bigint;
  readonly count: bigint;
  /** Of its record stream. */
  readonly lengthBytes: bigint;
}

export type WriterInput =
  | { readonly kind: "run"; readonly run: Run }
  | { readonly kind: "large"; readonly piece: LargePiece }
  /** What follows up to "batch-end" becomes visible as a whole; the session checks its count and bytes against the plan. */
  | { readonly kind: "batch-begin"; readonly plan: BatchPlan }
  | { readonly kind: "batch-end" };

export interface WriterEvents {
  /** Everything through the log's height is durable; said again after a repeat. */
  acknowledged(): void;
  /** Nothing more will be acknowledged. Said once. */
  failed(error: SeguroError): void;
  /** There is room again after `hasRoom` was false. */
  room(): void;
}

/** What is being done with the inputs between "batch-begin" and "batch-end", or with the pieces of one huge event. */
type Mode =
  | { readonly kind: "gather"; readonly firstId: bigint; readonly lastId: bigint; readonly parts: Buffer[] }
  | { readonly kind: "stage"; readonly firstId: bigint; readonly lastId: bigint; readonly staging: Staging }
  | { readonly kind: "repeat"; readonly lastId: bigint; readonly check: RepeatCheck };

function lengthOf(input: WriterInput): number {
  if (input.kind === "run") {
    return input.run.bytes.length;
  }
  return input.kind === "large" ? input.piece.bytes.length : 0;
}

/** The writer of one claim, used by the session's thread alone. After `failed` it takes nothing more. */
export class Writer {
  readonly claim: Claim;
  readonly #kv: Kv;
  readonly #committer: Committer;
  readonly #events: WriterEvents;
  readonly #creation: Creation;
  readonly #sealer: Sealer;
  /** Commits beside the events that are under way. */
  readonly #asides = new Set<Promise<void>>();
  #inputs: WriterInput[] = [];
  /** The last event taken in, durable or on its way; 0n in an empty log. */
  #accepted: bigint;
  /** The digest chain has come to the log's end. */
  #caughtUp: boolean;
  #batch: Mode | null = null;
  #large: Mode | null = null;
  #heldBytes = 0;
  #starved = false;
  #failed = false;
  #closed = false;
  #pump: Promise<void> | null = null;
  /** Null where appends can only come this way. */
  #lane: LaneSwitch | null = null;
  readonly #digests: boolean;

  constructor(kv: Kv, committer: Committer, claim: Claim, events: WriterEvents, digests: boolean) {
    this.claim = claim;
    this.#kv = kv;
    this.#committer = committer;
    this.#events = events;
    this.#digests = digests;
    this.#accepted = claim.log.height;
    this.#caughtUp = !digests || claim.log.pair.id === claim.log.height;
    const sealerEvents: SealerEvents = {
      acknowledged: () => {
        events.acknowledged();
        this.#lane?.want();
      },
      failed: (error) => this.#fail(error),
      released: (lengthBytes) => this.#release(lengthBytes),
      quiet: () => this.#lane?.tryStart(),
    };
    this.#creation = new Creation(claim.creation, kv.limits.commitsInFlight === 1);
    this.#sealer = new Sealer(kv, committer, claim, this.#creation, sealerEvents, digests);
  }

  /** False while so much is held that the session should stop reading; `room` is said when that has passed. */
  get hasRoom(): boolean {
    this.#starved ||= this.#heldBytes >= IN_FLIGHT_BYTES;
    return !this.#starved;
  }

  /** The session's appends may go another way, while they are plain. Once, before the first of them. */
  useLane(port: LanePort): void {
    const store = this.#kv.lanes;
    if (store !== undefined && this.#digests) {
      this.#lane = new LaneSwitch(port, store, this.claim, {
        mayHold: () => this.#caughtUp && !this.#failed && !this.#closed && this.#batch === null && this.#large === null,
        isQuiet: () => this.#pump === null && this.#asides.size === 0 && this.#sealer.isQuiet,
        ended: (end) => {
          this.#accepted = this.claim.log.height;
          this.#sealer.goOnAfter(end);
        },
      });
      this.#lane.want();
    }
  }

  /** Takes the next input. Ids inside a run are contiguous and its records are checked. */
  push(input: WriterInput): void {
    if (this.#failed || this.#closed) {
      return;
    }
    this.#heldBytes += lengthOf(input);
    if (this.#pump === null && this.#acceptDirectly(input)) {
      return;
    }
    this.#inputs.push(input);
    this.#pump ??= this.#run();
  }

  /**
   * Commits what is not the log's events (metadata, epochs, files) under the same claim. Resolves when it is durable; throws `fenced` or the
   * store's error, and the writer has then failed. The first put must tell whether the commit has taken effect (`Commit.witness`).
   * A request that was still reading when its session ended is too late: throws `stopping`.
   */
  async commitAside(writes: readonly Write[], lengthBytes: number): Promise<void> {
    if (this.#closed) {
      throw new SeguroError("stopping", "the session has ended", "connect again");
    }
    const commit = this.#commitAside(writes, lengthBytes);
    this.#asides.add(commit);
    try {
      await commit;
    } catch (error) {
      this.#sealer.fail(asSeguroError(error));
      throw error;
    } finally {
      this.#asides.delete(commit);
      this.#creation.settled();
      this.#sealer.resume();
      this.#lane?.tryStart();
    }
  }

  async #commitAside(writes: readonly Write[], lengthBytes: number): Promise<void> {
    if (this.#creation.pending || this.#lane !== null) {
      await this.#lane?.stop();
      await this.#creation.ready();
      if (this.#sealer.failure !== null) {
        throw this.#sealer.failure;
      }
    }
    const { log, check } = this.claim;
    const witness = writes.find((write) => write.kind === "put")?.key;
    const commit = { checks: [check], writes: [...this.#creation.take(), ...writes], ...(witness !== undefined && { witness }) };
    if ((await this.#committer.submit(commit, lengthBytes)) === "check-failed") {
      throw await fencedError(this.#kv, log.name.ship);
    }
  }

  /** Drops what is not whole, and resolves once every commit under way has ended, one way or the other. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#inputs = [];
    await this.#lane?.stop();
    await this.#pump;
    for (const mode of [this.#batch, this.#large]) {
      if (mode?.kind === "stage") {
        await mode.staging.quiet();
      }
    }
    await Promise.allSettled(this.#asides);
    await this.#sealer.quiet();
    await this.#sealer.record();
  }

  /** The plain case without a promise: a run that follows, outside of any batch. */
  #acceptDirectly(input: WriterInput): boolean {
    if (input.kind !== "run" || !this.#caughtUp || this.#batch !== null || this.#large !== null) {
      return false;
    }
    const { run } = input;
    if (this.#accepted !== 0n && run.firstId !== this.#accepted + 1n) {
      return false;
    }
    this.#accepted = run.lastId;
    this.#sealer.add({ parts: [run.bytes], firstId: run.firstId, lastId: run.lastId, lengthBytes: run.bytes.length });
    return true;
  }

  async #run(): Promise<void> {
    // Never inside `push`: a failure must not reach the session while it is still handing over.
    await Promise.resolve();
    try {
      await this.#catchUp();
      for (let input = this.#inputs.shift(); input !== undefined && !this.#failed; input = this.#inputs.shift()) {
        if (!this.#acceptDirectly(input) && (await this.#take(input))) {
          this.#release(lengthOf(input));
        }
      }
    } catch (error) {
      this.#fail(asSeguroError(error));
    }
    this.#pump = null;
    this.#lane?.tryStart();
  }

  /** Before the first event: what blocks say of the chain then trails by what this session has in flight, however those before it ended. */
  async #catchUp(): Promise<void> {
    if (!this.#caughtUp) {
      await this.#sealer.digester.catchUp(this.claim.log.height);
      this.#caughtUp = true;
    }
  }

  /** Works off one input; true when its bytes are held no longer. */
  async #take(input: WriterInput): Promise<boolean> {
    switch (input.kind) {
      case "batch-begin":
        this.#batch = await this.#beginUnit(input.plan.firstId, input.plan.count, input.plan.lengthBytes);
        return true;
      case "batch-end":
        await this.#endBatch();
        return true;
      case "run":
        return this.#batch === null ? this.#takeRepeat(input.run) : this.#takeInBatch(this.#batch, input.run.bytes, input.run.firstId);
      case "large":
        return this.#batch === null ? this.#takeLarge(input.piece) : this.#takeInBatch(this.#batch, input.piece.bytes, input.piece.id);
    }
  }

  /** Decides what becomes of a unit: gathered into one block, staged in pieces, or compared with what is stored. */
  async #beginUnit(firstId: bigint, count: bigint, lengthBytes: bigint): Promise<Mode> {
    const lastId = firstId + count - 1n;
    if (lengthBytes > BATCH_BYTES_MAX) {
      throw new SeguroError("batch-too-large", `a batch of ${lengthBytes} bytes`, `the limit is ${BATCH_BYTES_MAX}`, { id: firstId });
    }
    if (this.#accepted !== 0n && firstId > this.#accepted + 1n) {
      throw new SeguroError("append-gap", `event ${firstId} does not follow ${this.#accepted}`, "send the events between", { id: firstId });
    }
    if (this.#accepted !== 0n && firstId <= this.#accepted) {
      if (lastId > this.#accepted) {
        const text = `the batch ${firstId} to ${lastId} is stored in part: the log ends at ${this.#accepted}`;
        throw new SeguroError("batch-straddles", text, "send the stored events and the new ones apart", { id: firstId });
      }
      await this.#settle();
      this.#requireNotBelowBase(firstId);
      return { kind: "repeat", lastId, check: new RepeatCheck(this.#kv, this.claim.log, firstId, lastId) };
    }
    if (lengthBytes <= PIECE_BYTES) {
      return { kind: "gather", firstId, lastId, parts: [] };
    }
    await this.#settle();
    const staging = new Staging(this.#kv, this.#committer, this.claim, firstId, (bytes) => this.#release(bytes));
    return { kind: "stage", firstId, lastId, staging };
  }

  async #takeInBatch(mode: Mode, bytes: Buffer, id: bigint): Promise<boolean> {
    if (mode.kind === "gather") {
      mode.parts.push(bytes);
      return false;
    }
    if (mode.kind === "stage") {
      // It says itself when the bytes are needed no longer.
      await mode.staging.add(bytes);
      return false;
    }
    await mode.check.compare(bytes, id);
    return true;
  }

  async #endBatch(): Promise<void> {
    const mode = this.#batch;
    this.#batch = null;
    if (mode?.kind === "gather") {
      const lengthBytes = mode.parts.reduce((sum, part) => sum + part.length, 0);
      this.#accepted = mode.lastId;
      this.#sealer.add({ parts: mode.parts, firstId: mode.firstId, lastId: mode.lastId, lengthBytes });
    } else if (mode?.kind === "stage") {
      await this.#publish(mode.staging, mode.firstId, mode.lastId);
    } else {
      this.#events.acknowledged();
    }
  }

  async #publish(staging: Staging, firstId: bigint, lastId: bigint): Promise<void> {
    const { log } = this.claim;
    await this.#creation.ready();
    try {
      await staging.publish(lastId, this.#creation.take());
    } catch (error) {
      this.#sealer.fail(asSeguroError(error));
      throw error;
    } finally {
      this.#creation.settled();
    }
    this.#accepted = lastId;
    log.rise(firstId, lastId);
    // The chain reads the unit back before the next one is taken in, so that it never trails by more than one.
    await this.#sealer.digester.catchUp(lastId);
    this.#events.acknowledged();
  }

  /** A run that begins at or below what was taken in: compared as far as it repeats, appended from there on. */
  async #takeRepeat(run: Run): Promise<boolean> {
    await this.#settle();
    this.#requireNotBelowBase(run.firstId);
    const { before, from } = splitRunAt(run, this.#accepted + 1n);
    if (before !== null) {
      await new RepeatCheck(this.#kv, this.claim.log, before.firstId, before.lastId).compare(before.bytes, before.firstId);
      this.#events.acknowledged();
    }
    if (from === null) {
      return true;
    }
    if (from.firstId !== this.#accepted + 1n) {
      throw new Error(`invariant: event ${from.firstId} does not follow ${this.#accepted}`);
    }
    this.#release(before?.bytes.length ?? 0);
    this.#accepted = from.lastId;
    this.#sealer.add({ parts: [from.bytes], firstId: from.firstId, lastId: from.lastId, lengthBytes: from.bytes.length });
    return false;
  }

  async #takeLarge(piece: LargePiece): Promise<boolean> {
    this.#large ??= await this.#beginUnit(piece.id, 1n, BigInt(piece.recordBytes));
    const mode = this.#large;
    if (mode.kind === "stage") {
      await mode.staging.addAt(piece.index, piece.bytes);
    } else if (mode.kind === "repeat") {
      await mode.check.compare(piece.bytes, piece.id);
    } else {
      throw new Error(`invariant: event ${piece.id} came in pieces though it fits in a block`);
    }
    if (piece.last) {
      this.#large = null;
      if (mode.kind === "stage") {
        await this.#publish(mode.staging, piece.id, piece.id);
      } else {
        this.#events.acknowledged();
      }
    }
    return mode.kind !== "stage";
  }

  /** An event before the log's first is no repeat: this client's log began elsewhere. */
  #requireNotBelowBase(id: bigint): void {
    const { base } = this.claim.log;
    if (id < base) {
      const hint = "this client has another log than the one kept here; `seguro list` shows where the log begins";
      throw new SeguroError("append-conflict", `event ${id} lies before the log's first event, ${base}`, hint, { id });
    }
  }

  /** Waits until everything taken in is durable. */
  async #settle(): Promise<void> {
    await this.#sealer.quiet();
    if (this.#sealer.failure !== null) {
      throw this.#sealer.failure;
    }
  }

  #release(lengthBytes: number): void {
    this.#heldBytes -= lengthBytes;
    if (this.#starved && this.#heldBytes < IN_FLIGHT_BYTES / 2) {
      this.#starved = false;
      this.#events.room();
    }
  }

  #fail(error: SeguroError): void {
    if (!this.#failed) {
      this.#failed = true;
      this.#inputs = [];
      this.#events.failed(error);
    }
  }
}
