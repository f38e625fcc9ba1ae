// Stages a unit too large for one block (a huge event, a huge atomic batch) in pieces, made visible by a manifest once all are durable.
import { keys } from "../store/layout.ts";
import { SeguroError } from "../wire/errors.ts";
import { type BlockHeader, encodeBlockHeader } from "./block.ts";
import type { Claim } from "./claim.ts";
import type { Committer } from "./committer.ts";
import { PIECE_BYTES } from "./limits.ts";

export function fencedError(claim: Claim): SeguroError {
  const { ship } = claim.log.name;
  return new SeguroError("fenced", `another writer has taken over ${ship.name}`, "stop this runtime: two are writing one ship's log");
}

/** The pieces of one unit. Nothing of it is visible before `publish`; what is left without it is cleared by the next claim. */
export class Staging {
  readonly #committer: Committer;
  readonly #claim: Claim;
  readonly #firstId: bigint;
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  /** Pieces given with `addAt` count from 0 as well; the two ways are not mixed. */
  #pieces = 0;
  #totalBytes = 0n;

  constructor(committer: Committer, claim: Claim, firstId: bigint) {
    this.#committer = committer;
    this.#claim = claim;
    this.#firstId = firstId;
  }

  /** Record-stream bytes taken so far. */
  get totalBytes(): bigint {
    return this.#totalBytes;
  }

  /** Appends the next bytes of the record stream; resolves when they may be forgotten or wait for more. */
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

  /** Stores one piece under its own index: an event of protocol 0 ends with its first piece, because its checksum is known last. */
  async addAt(index: number, bytes: Buffer): Promise<void> {
    await this.#commitPiece(index, [bytes], bytes.length);
  }

  async #flush(): Promise<void> {
    const bytes = this.#gathered;
    const lengthBytes = this.#gatheredBytes;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.#commitPiece(this.#pieces, bytes, lengthBytes);
  }

  async #commitPiece(index: number, value: readonly Buffer[], lengthBytes: number): Promise<void> {
    this.#pieces++;
    this.#totalBytes += BigInt(lengthBytes);
    const { log, epoch, check } = this.#claim;
    const key = keys.piece(log.name, this.#firstId, epoch, index);
    const outcome = await this.#committer.submit({ checks: [check], writes: [{ kind: "put", key, value }] }, lengthBytes);
    if (outcome === "check-failed") {
      throw fencedError(this.#claim);
    }
  }

  /** Makes the unit visible and durable as a whole. */
  async publish(lastId: bigint, creation: Claim["creation"]): Promise<void> {
    if (this.#gatheredBytes > 0) {
      await this.#flush();
    }
    const { log, epoch, check } = this.#claim;
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
    const manifest = { kind: "put", key: keys.block(log.name, this.#firstId), value: [value] } as const;
    const outcome = await this.#committer.submit({ checks: [check], writes: [...creation, manifest] }, value.length);
    if (outcome === "check-failed") {
      throw fencedError(this.#claim);
    }
  }
}
