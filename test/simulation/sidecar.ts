// A simulated machine that runs a sidecar: the shipped engine and logs over a simulated connection, started again after each end.
import { Logs, type LogsOptions } from "../../src/log/logs.ts";
import type { Writer } from "../../src/log/writer.ts";
import type { Ship } from "../../src/ship.ts";
import { StoreError } from "../../src/store/errors.ts";
import { FoundationKv } from "../../src/store/foundationdb/engine.ts";
import type { Database } from "../../src/store/foundationdb/transactions.ts";
import type { Kv } from "../../src/store/kv.ts";
import type { Chance } from "./chance.ts";
import type { Cluster } from "./cluster.ts";
import { Connection } from "./database.ts";
import { Gone, SimulatedProcess } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

/** How calls of a sidecar that shuts down fail: also with commits that its store has given up. */
const ENDINGS = ["store-closed", "stopping", "store-failed"];
const START_AGAIN_MS = 1_500;

/** Where a new store has no room for what it begins with, nothing starts; service managers try again. */
async function openLogs(kv: Kv, process: SimulatedProcess, options: LogsOptions): Promise<Logs> {
  for (;;) {
    try {
      return await Logs.open(kv, options);
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "store-full")) {
        throw error;
      }
      await process.sleep(START_AGAIN_MS);
    }
  }
}

/** What a deliberate fault puts between the shipped code and what it stands on. */
export interface Wraps {
  readonly database?: (database: Database) => Database;
  readonly kv?: (kv: Kv, process: SimulatedProcess) => Kv;
}

/** One start of a sidecar. */
export class Sidecar {
  readonly process: SimulatedProcess;
  readonly connection: Connection;
  /** Of sessions that have not ended. */
  readonly writers = new Set<Writer>();
  /** What operators retire through it, which takes a writer as well. */
  readonly retiring = new Set<{ readonly ship: Ship }>();
  readonly #logs: Promise<Logs>;
  #ending = false;
  readonly #released = new WeakMap<Writer, Promise<void>>();

  /** The `start`th sidecar of all, on some machine; the one before it there has ended. */
  constructor(
    machine: number,
    start: number,
    world: { scheduler: Scheduler; chance: Chance; cluster: Cluster; wraps: Wraps; fragmentBytes: number },
  ) {
    const { scheduler, chance, cluster, wraps, fragmentBytes } = world;
    const process = new SimulatedProcess(`m${machine}/${start}`, scheduler, chance.fork());
    this.process = process;
    this.connection = new Connection(cluster, scheduler, chance.fork(), process);
    const database = wraps.database?.(this.connection) ?? this.connection;
    const engine = new FoundationKv(database, { prefix: Buffer.from("seguro/"), time: process, fragmentBytes });
    const kv = wraps.kv?.(engine, process) ?? engine;
    const defer = (run: () => void): void => void process.after(0, run);
    const host = `m${machine}`;
    const writer = {
      id: process.name,
      host,
      pid: start,
      boot: `boot of ${host}`,
      lock: `state file of ${host}`,
      startedAt: String(scheduler.nowMs),
    };
    this.#logs = process.call(() => openLogs(kv, process, { writer, clock: process, defer }));
    // Whoever asks for the logs hears of it.
    this.#logs.catch(() => undefined);
  }

  logs(): Promise<Logs> {
    return this.#logs;
  }

  /** Whether a call failed because this sidecar died or is shutting down. */
  isEnd(error: unknown): boolean {
    return error instanceof Gone || (this.#ending && error instanceof Error && "code" in error && ENDINGS.includes(String(error.code)));
  }

  /** Ends a writer's session; may be said again. In the sidecar. */
  release(writer: Writer): Promise<void> {
    const released = this.#released.get(writer) ?? this.#release(writer);
    this.#released.set(writer, released);
    return released;
  }

  async #release(writer: Writer): Promise<void> {
    const logs = await this.#logs;
    await logs.release(writer);
    this.writers.delete(writer);
  }

  /** Whether a session here writes a log, or still believes that it does. */
  writes(ship: Ship, log: number): boolean {
    return (
      [...this.writers].some(({ claim: { log: own } }) => own.name.log === log && own.name.ship.name === ship.name) ||
      [...this.retiring].some((one) => one.ship.name === ship.name)
    );
  }

  /** SIGTERM: ends its sessions, says that it writes no more, and exits. In the sidecar. */
  async shutDown(): Promise<void> {
    this.#ending = true;
    const logs = await this.#logs;
    await Promise.all([...this.writers].map((writer) => this.release(writer)));
    await logs.close();
    await logs.kv.close();
    this.process.crash();
  }
}
