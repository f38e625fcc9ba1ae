// One process's connection to a simulated cluster: the interface that the FoundationDB engine is written over. Answers take their time, and may
// be lost on the way. Reading after writing in one transaction is not simulated, and refused. For single outcomes, asked for one by one and without a
// scheduler, there is test/store/foundationdb-fake.ts.
import {
  type Database,
  type FoundRows,
  type ReadRange,
  type Transaction,
  TransactionError,
  type Version,
} from "../../src/store/foundationdb/transactions.ts";
import type { Chance } from "./chance.ts";
import type { Cluster } from "./cluster.ts";
import { CANCELLED, KEY_TOO_LARGE, TOO_LARGE, VALUE_TOO_LARGE } from "./faults.ts";
import type { Recipient, Scheduler } from "./scheduler.ts";
import { type KeyRange, keyRange, type Mutation } from "./versions.ts";

const KEY_BYTES_MAX = 10_000;
const VALUE_BYTES_MAX = 100_000;
const TRANSACTION_BYTES_MAX = 10_000_000;

const HOP_MS = 0.4;
const SLOW_MS = 400;

function textOf(key: Buffer): string {
  return key.toString("latin1");
}

export class Connection implements Database {
  readonly name = "simulated";
  readonly cluster: Cluster;
  readonly #scheduler: Scheduler;
  readonly #chance: Chance;
  readonly #recipient: Recipient;
  /** This process alone does not reach the cluster until then. */
  cutUntilMs = 0;

  constructor(cluster: Cluster, scheduler: Scheduler, chance: Chance, recipient: Recipient) {
    this.cluster = cluster;
    this.#scheduler = scheduler;
    this.#chance = chance;
    this.#recipient = recipient;
  }

  begin(): Transaction {
    return new SimulatedTransaction(this);
  }

  close(): void {
    // Nothing is held outside of memory.
  }

  /** Has `work` done at the cluster after a while, and its answer brought back after another. */
  ask<Answer>(work: () => Answer | Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const arrived = async (): Promise<void> => {
        let answer: () => void;
        try {
          const value = await work();
          answer = () => resolve(value);
        } catch (error) {
          answer = () => reject(error);
        }
        this.#travel(() => this.#recipient.deliver(answer));
      };
      this.#travel(() => void arrived());
    });
  }

  /** One way between process and cluster. While they are apart, nothing arrives; afterwards all of it does. */
  #travel(arrive: () => void): void {
    const slow = this.#chance.odds(this.cluster.rates.slow / 1000);
    this.#scheduler.after(this.#chance.around(slow ? SLOW_MS : HOP_MS), () => {
      const apartMs = Math.max(this.cutUntilMs, this.cluster.awayUntilMs) - this.#scheduler.nowMs;
      if (apartMs > 0) {
        this.#scheduler.after(apartMs, () => this.#travel(arrive));
      } else {
        arrive();
      }
    });
  }
}

type State = "open" | "committing" | "ended" | "cancelled";

class SimulatedTransaction implements Transaction {
  readonly #connection: Connection;
  #readVersion: Promise<bigint> | null = null;
  readonly #reads: KeyRange[] = [];
  readonly #mutations: Mutation[] = [];
  #bytes = 0;
  #error: number | null = null;
  #state: State = "open";
  #committed: bigint | null = null;
  readonly #pending = new Set<(error: TransactionError) => void>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  setReadVersion(version: Version): void {
    this.#require(this.#readVersion === null, "a read version is set before any read, once");
    this.#readVersion = Promise.resolve(version.readBigUInt64BE(0));
  }

  async get(key: Buffer, snapshot: boolean): Promise<Buffer | null> {
    this.#requireReading();
    const text = textOf(key);
    if (!snapshot) {
      this.#reads.push(keyRange(text));
    }
    return this.#ask((version) => {
      const value = this.#connection.cluster.get(text, version);
      return value === null ? null : Buffer.from(value);
    });
  }

  async range(range: ReadRange, snapshot: boolean): Promise<FoundRows> {
    this.#requireReading();
    const bounds: KeyRange = [textOf(range.from), textOf(range.to)];
    if (!snapshot) {
      this.#reads.push(bounds);
    }
    return this.#ask((version) => {
      const limits = { rows: range.limitRows, bytes: range.targetBytes, reverse: range.reverse };
      const { rows, more } = this.#connection.cluster.range(bounds, version, limits);
      return { rows: rows.map(([key, value]) => [Buffer.from(key, "latin1"), Buffer.from(value)] as const), more };
    });
  }

  addReadConflictKey(key: Buffer): void {
    this.#requireOpen();
    this.#reads.push(keyRange(textOf(key)));
  }

  set(key: Buffer, value: Buffer): void {
    this.#requireOpen();
    this.#measure(key, key.length + value.length);
    if (value.length > VALUE_BYTES_MAX) {
      this.#error ??= VALUE_TOO_LARGE;
    }
    this.#mutations.push({ kind: "set", key: textOf(key), value: Buffer.from(value) });
  }

  clear(key: Buffer): void {
    this.#requireOpen();
    this.#measure(key, key.length);
    const [from, to] = keyRange(textOf(key));
    this.#mutations.push({ kind: "clear", from, to });
  }

  clearRange(from: Buffer, to: Buffer): void {
    this.#requireOpen();
    this.#measure(from, from.length + to.length);
    this.#mutations.push({ kind: "clear", from: textOf(from), to: textOf(to) });
  }

  async commit(): Promise<void> {
    this.#requireOpen();
    this.#state = "committing";
    const error = this.#bytes > TRANSACTION_BYTES_MAX ? TOO_LARGE : this.#error;
    if (error !== null) {
      throw new TransactionError(error, "a key, a value or the transaction is too large");
    }
    if (this.#mutations.length > 0) {
      const readVersion = this.#reads.length === 0 ? null : await this.#version();
      const request = { mutations: this.#mutations, reads: this.#reads, readVersion };
      const landing = await this.#send(() => this.#connection.cluster.arrive(request));
      if (landing.error !== null) {
        throw new TransactionError(landing.error, "a simulated outcome");
      }
      this.#committed = landing.version;
    }
    this.#state = "ended";
  }

  committedVersion(): Version {
    if (this.#committed === null) {
      throw new Error("simulation: nothing was committed, so there is no version of it");
    }
    const version = Buffer.alloc(8);
    version.writeBigUInt64BE(this.#committed);
    return version;
  }

  cancel(): void {
    if (this.#state === "open" || this.#state === "committing") {
      this.#state = "cancelled";
      for (const fail of this.#pending) {
        fail(new TransactionError(CANCELLED, "transaction_cancelled"));
      }
    }
  }

  #version(): Promise<bigint> {
    this.#readVersion ??= this.#send(() => this.#connection.cluster.readVersion());
    return this.#readVersion;
  }

  async #ask<Answer>(work: (version: bigint) => Answer): Promise<Answer> {
    const version = await this.#version();
    return this.#send(() => work(version));
  }

  #send<Answer>(work: () => Answer | Promise<Answer>): Promise<Answer> {
    if (this.#state === "cancelled") {
      return Promise.reject(new TransactionError(CANCELLED, "transaction_cancelled"));
    }
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      const forget = (): void => void this.#pending.delete(reject);
      this.#connection.ask(work).then(resolve, reject).finally(forget);
    });
  }

  #measure(key: Buffer, bytes: number): void {
    if (key.length > KEY_BYTES_MAX) {
      this.#error ??= KEY_TOO_LARGE;
    }
    // Each mutation comes with a write conflict range of its own.
    this.#bytes += bytes + 2 * key.length;
  }

  #requireReading(): void {
    this.#requireOpen();
    this.#require(this.#mutations.length === 0, "reading after writing is not simulated");
  }

  #requireOpen(): void {
    if (this.#state === "cancelled") {
      throw new TransactionError(CANCELLED, "transaction_cancelled");
    }
    this.#require(this.#state === "open", "a transaction is used no more after its commit");
  }

  #require(holds: boolean, rule: string): void {
    if (!holds) {
      throw new Error(`simulation: ${rule}`);
    }
  }
}
