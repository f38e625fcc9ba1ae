// The writing side of a session: record streams out, acknowledged heights in.
import { Frame } from "../wire/constants.ts";
import { type Batch, type DigestPair, decodeHeight, encodeBatch } from "../wire/messages.ts";
import type { Connection } from "./connection.ts";

interface HeightWaiter {
  readonly id: bigint;
  readonly resolve: (height: bigint) => void;
  readonly reject: (error: Error) => void;
}

export class Appending {
  readonly #connection: Connection;
  #height: bigint;
  #digest: DigestPair;
  #waiters: HeightWaiter[] = [];
  #onHeight: ((height: bigint) => void) | null = null;

  constructor(connection: Connection, height: bigint, digest: DigestPair) {
    this.#connection = connection;
    this.#height = height;
    this.#digest = digest;
  }

  get height(): bigint {
    return this.#height;
  }

  get digest(): DigestPair {
    return this.#digest;
  }

  set onHeight(listener: ((height: bigint) => void) | null) {
    this.#onHeight = listener;
  }

  append(records: Buffer): Promise<void> {
    return this.#connection.sendInPlace(Frame.APPEND, records);
  }

  async appendAtomic(batch: Batch, pieces: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<void> {
    await this.#connection.send(encodeBatch(batch));
    for await (const piece of pieces) {
      await this.append(piece);
    }
  }

  acknowledged(id: bigint): Promise<bigint> {
    if (this.#connection.failure !== null) {
      return Promise.reject(this.#connection.failure);
    }
    if (this.#height >= id) {
      return Promise.resolve(this.#height);
    }
    return new Promise((resolve, reject) => this.#waiters.push({ id, resolve, reject }));
  }

  /** Takes the body of a HEIGHT frame. */
  take(body: Buffer): void {
    const { height, digest } = decodeHeight(body);
    if (height > this.#height) {
      this.#height = height;
    }
    this.#digest = digest;
    this.#onHeight?.(this.#height);
    if (this.#waiters.length === 0) {
      return;
    }
    const waiting = this.#waiters;
    this.#waiters = waiting.filter((waiter) => waiter.id > this.#height);
    for (const waiter of waiting) {
      if (waiter.id <= this.#height) {
        waiter.resolve(this.#height);
      }
    }
  }

  fail(error: Error): void {
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      waiter.reject(error);
    }
  }
}
