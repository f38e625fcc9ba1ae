// The npm package `foundationdb`, by its native interface: loaded when first needed, its network thread ended when the process ends.
import { StoreError } from "../errors.ts";
import { finalError } from "./outcomes.ts";
import { type Database, type FoundRows, type ReadRange, type Transaction, TransactionError, type Version } from "./transactions.ts";

/** Its types and the client library's behaviour are those of 7.2; a newer library keeps them for whoever asks for 720. */
const API_VERSION = 720;
/** A variable, because npm leaves the package out where it cannot be used, and the compiler must not expect it. */
const PACKAGE: string = "foundationdb/dist/lib/native.js";
/** Streaming mode: all that the limits allow. */
const EXACT = 0;
/** So many answers the package lets its network thread leave for the event loop; with more it blocks. */
const ANSWERS_WAITING_MAX = 16;
const GREATEST_LIMIT = 2 ** 31 - 1;
const SPARE_MAX = 16;

interface NativeTransaction {
  setReadVersion(version: Buffer): void;
  get(key: Buffer, snapshot: boolean): Promise<Buffer | null | undefined>;
  getRange(
    ...selectorsAndLimits: [
      ...begin: [key: Buffer, orEqual: boolean, offset: number],
      ...end: [key: Buffer, orEqual: boolean, offset: number],
      limitRows: number,
      targetBytes: number,
      mode: number,
      iteration: number,
      snapshot: boolean,
      reverse: boolean,
    ]
  ): Promise<{ results: [Buffer, Buffer][]; more: boolean }>;
  addReadConflictRange(from: Buffer, to: Buffer): void;
  set(key: Buffer, value: Buffer): void;
  clear(key: Buffer): void;
  clearRange(from: Buffer, to: Buffer): void;
  commit(): Promise<void>;
  getCommittedVersion(): Buffer;
  reset(): void;
  cancel(): void;
}

interface NativeDatabase {
  createTransaction(): NativeTransaction;
  close(): void;
}

interface NativeModule {
  setAPIVersion(version: number): void;
  startNetwork(): void;
  stopNetwork(): void;
  createDatabase(clusterFile: string): NativeDatabase;
}

const install =
  "Install the FoundationDB client library, version 7.2 or newer (its package is foundationdb-clients), then run `npm install` again: " +
  "npm leaves the package foundationdb out when the client library is missing.";

function numberOf(error: unknown): number | null {
  return error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : null;
}

/** FoundationDB's errors as such; anything else, as it is. */
function asTransactionError(error: unknown): unknown {
  const code = numberOf(error);
  return code === null ? error : new TransactionError(code, error instanceof Error ? error.message : "");
}

function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asTransactionError(error);
  }
}

/** Calls that the network thread has not answered, or whose answers wait for this thread. */
let underWay = 0;

async function awaited<T>(call: () => Promise<T>): Promise<T> {
  underWay++;
  try {
    return await call();
  } catch (error) {
    throw asTransactionError(error);
  } finally {
    underWay--;
  }
}

/** The first key at or after this one, as the client library says it. */
function selector(key: Buffer): [key: Buffer, orEqual: boolean, offset: number] {
  return [key, false, 1];
}

class ClientTransaction implements Transaction {
  readonly #native: NativeTransaction;
  readonly #recycle: (native: NativeTransaction) => void;
  #committed: Version | null = null;
  #ended = false;

  constructor(native: NativeTransaction, recycle: (native: NativeTransaction) => void) {
    this.#native = native;
    this.#recycle = recycle;
  }

  setReadVersion(version: Version): void {
    attempt(() => this.#native.setReadVersion(version));
  }

  async get(key: Buffer, snapshot: boolean): Promise<Buffer | null> {
    return (await awaited(() => this.#native.get(key, snapshot))) ?? null;
  }

  async range({ from, to, limitRows, targetBytes, reverse }: ReadRange, snapshot: boolean): Promise<FoundRows> {
    const rows = Math.min(limitRows, GREATEST_LIMIT);
    const bytes = Math.min(targetBytes, GREATEST_LIMIT);
    const read = () => this.#native.getRange(...selector(from), ...selector(to), rows, bytes, EXACT, 0, snapshot, reverse);
    const { results, more } = await awaited(read);
    return { rows: results, more };
  }

  addReadConflictKey(key: Buffer): void {
    attempt(() => this.#native.addReadConflictRange(key, Buffer.concat([key, Buffer.of(0)])));
  }

  set(key: Buffer, value: Buffer): void {
    attempt(() => this.#native.set(key, value));
  }

  clear(key: Buffer): void {
    attempt(() => this.#native.clear(key));
  }

  clearRange(from: Buffer, to: Buffer): void {
    attempt(() => this.#native.clearRange(from, to));
  }

  async commit(): Promise<void> {
    await awaited(() => this.#native.commit());
    this.#committed = attempt(() => this.#native.getCommittedVersion());
  }

  committedVersion(): Version {
    if (this.#committed === null) throw new Error("nothing was committed");
    return this.#committed;
  }

  cancel(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#committed === null) {
      this.#native.cancel();
      this.#free();
    } else {
      // Nothing is under way any more, and whoever waits for the commit hears of it first.
      setImmediate(() => {
        this.#free();
        this.#recycle(this.#native);
      });
    }
  }

  /** Megabytes of writes would stay in the client library until the collector finds this object, of whose weight it knows nothing. */
  #free(): void {
    this.#native.reset();
  }
}

class ClientDatabase implements Database {
  readonly name: string;
  readonly #native: NativeDatabase;
  /** Transactions as good as new: making one takes longer than all that a small commit asks of it. */
  readonly #spare: NativeTransaction[] = [];

  constructor(name: string, native: NativeDatabase) {
    this.name = name;
    this.#native = native;
  }

  begin(): Transaction {
    const native = this.#spare.pop() ?? attempt(() => this.#native.createTransaction());
    return new ClientTransaction(native, (used) => {
      if (this.#spare.length < SPARE_MAX) this.#spare.push(used);
    });
  }

  close(): void {
    this.#native.close();
  }
}

function isModule(value: unknown): value is NativeModule {
  return typeof value === "object" && value !== null && "createDatabase" in value;
}

async function importNative(): Promise<NativeModule> {
  let loaded: { default?: { default?: unknown } };
  try {
    loaded = (await import(PACKAGE)) as typeof loaded;
  } catch (error) {
    throw new StoreError("store-missing", "the npm package foundationdb is not usable here", install, error);
  }
  const native = loaded.default?.default;
  if (!isModule(native)) throw new StoreError("store-missing", "the npm package foundationdb is not the one that is known", install);
  return native;
}

/** Loads it, and starts the network thread that all databases of the process share; it cannot be started again. */
async function start(): Promise<NativeModule> {
  const native = await importNative();
  try {
    native.setAPIVersion(API_VERSION);
    native.startNetwork();
  } catch (error) {
    const message = `the FoundationDB client library does not know API version ${API_VERSION} (error ${numberOf(error) ?? String(error)})`;
    throw new StoreError("store-missing", message, install, error);
  }
  process.once("exit", () => stop(native));
  return native;
}

/**
 * Ends the network thread, which must not outlive what it uses. It has to be waited for, and it waits itself while too many of its answers have not been
 * taken, which nobody takes any more: then it is left alone.
 */
function stop(native: NativeModule): void {
  if (underWay <= ANSWERS_WAITING_MAX) native.stopNetwork();
}

let started: Promise<NativeModule> | undefined;

/**
 * Connects to the cluster that a file names. Returns at once, whether the cluster answers or not: its client goes on trying by itself.
 *
 * @throws StoreError `store-missing` when the package or the client library is not there, or too old, or the cluster file says nothing usable.
 */
export async function connect(clusterFile: string): Promise<Database> {
  started ??= start();
  let native: NativeModule;
  try {
    native = await started;
  } catch (error) {
    started = undefined;
    throw error;
  }
  try {
    return new ClientDatabase(clusterFile, native.createDatabase(clusterFile));
  } catch (error) {
    const reason = asTransactionError(error);
    throw reason instanceof TransactionError ? finalError(clusterFile, reason) : reason;
  }
}
