// Stages a unit too large for one block (a huge event, a huge atomic batch) in pieces, made visible by a manifest once all are durable.
import type { Kv, Write } from "../store/kv.ts";
import { keys } from "../store/layout.ts";
import { type BlockHeader, encodeBlockHeader } from "./block.ts";
import type { Claim } from "./claim.ts";
import type { Committer } from "./committer.ts";
import { PIECE_BYTES } from "./limits.ts";
import { fencedError } from "./succession.ts";

/** The pieces of one unit. Nothing of it is visible before `publish`; what is left without it is cleared by the next claim. */
export class Staging {
  readonly #kv: Kv;
  readonly #committer: Committer;
  readonly #claim: Claim;
  readonly #firstId: bigint;
  readonly #released: (lengthBytes: number) => void;
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  /** Pieces given with `addAt` count from 0 as well; the two ways are not mixed. */
  #pieces = 0;
  #totalBytes = 0n;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: Error | null = null;

  /** `released` hears of bytes given that are no longer needed. */
  constructor(kv: Kv, committer: Committer, claim: Claim, firstId: bigint, released: (lengthBytes: number) => void) {
    this.#kv = kv;
    this.#committer = committer;
    this.#claim = claim;
    this.#firstId = firstId;
    this.#released = released;
  }

  /** Appends the next bytes of the record stream; resolves when more may be given. Throws what a piece failed with, `fenced` or the store's error. */
  async add(bytes: Buffer): Promise<void> {
    // Two that fit one by one may not fit together: a store's greatest value is not far above a piece.
    if (this.#gatheredBytes > 0 && this.#gatheredBytes + bytes.length > PIECE_BYTES) {
      await this.#flush();
    }
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes >= PIECE_BYTES) {
      await this.#flush();
    }
  }

  /** As `add`, under its own index: an event of protocol 0 ends with its first piece, because its checksum is known last. */
  async addAt(index: number, bytes: Buffer): Promise<void> {
    await this.#commitPiece(index, [bytes], bytes.length);
  }

  /** Resolves when no piece is under way any more; never throws. */
  async quiet(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  async #flush(): Promise<void> {
    const bytes = this.#gathered;
    const lengthBytes = this.#gatheredBytes;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.#commitPiece(this.#pieces, bytes, lengthBytes);
  }

  /** Sends a piece, and waits until another one may be sent: pieces have no order among them, the manifest waits for all. */
  async #commitPiece(index: number, value: readonly Buffer[], lengthBytes: number): Promise<void> {
    this.#pieces++;
    this.#totalBytes += BigInt(lengthBytes);
    const { log, epoch } = this.#claim;
    const key = keys.piece(log.name, this.#firstId, epoch, index);
    const commit = this.#commit([{ kind: "put", key, value }], key, lengthBytes)
      .catch((error: Error) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#inFlight.delete(commit);
        this.#released(lengthBytes);
      });
    this.#inFlight.add(commit);
    while (this.#inFlight.size >= this.#kv.limits.commitsInFlightPerLog) {
      await Promise.race(this.#inFlight);
    }
    this.#requireWhole();
  }

  #requireWhole(): void {
    if (this.#failure !== null) {
      throw this.#failure;
    }
  }

  /** Throws `fenced` or the store's error. */
  async #commit(writes: readonly Write[], witness: Buffer, lengthBytes: number): Promise<void> {
    const outcome = await this.#committer.submit({ checks: [this.#claim.check], writes, witness }, lengthBytes);
    if (outcome === "check-failed") {
      throw await fencedError(this.#kv, this.#claim.log.name.ship);
    }
  }

  /** Makes the unit visible and durable as a whole. */
  async publish(lastId: bigint, creation: readonly Write[]): Promise<void> {
    if (this.#gatheredBytes > 0) {
      await this.#flush();
    }
    await this.quiet();
    this.#requireWhole();
    const { log, epoch } = this.#claim;
    const header: BlockHeader = {
      name: log.name,
      epoch,
      firstId: this.#firstId,
      count: lastId - this.#firstId + 1n,
      bytes: this.#totalBytes,
      floor: log.height,
      pair: log.chainStart(this.#firstId),
      manifest: { pieces: this.#pieces, stagedEpoch: epoch },
    };
    const value = encodeBlockHeader(header);
    const key = keys.block(log.name, this.#firstId);
    await this.#commit([...creation, { kind: "put", key, value: [value] }], key, value.length);
  }
}
