// The claim of a whole ship, for work on all of its logs: what moves ships between stores writes under it, and nobody else meanwhile.
import { type Ship, shipText } from "../ship.ts";
import type { Kv, Write } from "../store/kv.ts";
import type { ShipRecord } from "../store/layout.ts";
import { SeguroError } from "../wire/errors.ts";
import { readShip, recover } from "./claim.ts";
import { Committer } from "./committer.ts";
import type { Logs } from "./logs.ts";
import { Writer, type WriterEvents } from "./writer.ts";

/** For the epoch record, and for whoever is refused meanwhile. */
const SESSION = "seguro migrate";

/** Made by `withHold`. */
export class Hold {
  readonly ship: Ship;
  readonly #logs: Logs;
  readonly #committer: Committer;
  readonly #claim: Writer;

  private constructor(logs: Logs, committer: Committer, claim: Writer) {
    this.ship = claim.claim.log.name.ship;
    this.#logs = logs;
    this.#committer = committer;
    this.#claim = claim;
  }

  /** Claims the ship, wherever its record says that it lives. Throws `ship-busy` while a session writes it. */
  static async take(logs: Logs, ship: Ship, defer: (run: () => void) => void): Promise<Hold> {
    const nothing = (): void => undefined;
    const claim = await logs.claim(ship, SESSION, nothing, { acknowledged: nothing, failed: nothing, room: nothing }, true);
    return new Hold(logs, new Committer(logs.kv, defer), claim);
  }

  get kv(): Kv {
    return this.#logs.kv;
  }

  record(): Promise<ShipRecord | null> {
    return readShip(this.kv, this.ship);
  }

  /** Commits under the claim; `witness` as in `Commit`. Throws `fenced`, or the store's errors. */
  async commit(writes: readonly Write[], witness?: Buffer): Promise<void> {
    const commit = { checks: [this.#claim.claim.check], writes, ...(witness !== undefined && { witness }) };
    const outcome = await this.#committer.submit(commit, 0);
    if (outcome === "check-failed") {
      const text = `${shipText(this.ship)} was taken over in ${this.kv.name} by another writer`;
      throw new SeguroError("fenced", text, "find out by whom, then run the same command again");
    }
  }

  /** A writer of one of the ship's logs, whose end is repaired first; to be closed before the next one is opened. */
  async openLog(log: number, events: WriterEvents): Promise<Writer> {
    const { check } = this.#claim.claim;
    const found = await recover(this.kv, this.#committer, check, { ship: this.ship, log });
    return new Writer(this.kv, this.#committer, { ...this.#claim.claim, creation: [], log: found }, events, true);
  }

  release(): Promise<void> {
    return this.#logs.release(this.#claim);
  }
}

/** Runs `work` under the claim of a ship, which ends with it. */
export async function withHold<Result>(
  logs: Logs,
  ship: Ship,
  defer: (run: () => void) => void,
  work: (hold: Hold) => Promise<Result>,
): Promise<Result> {
  const hold = await Hold.take(logs, ship, defer);
  try {
    return await work(hold);
  } finally {
    await hold.release();
  }
}

/** The same in two stores. */
export function withHolds<Result>(
  from: Logs,
  to: Logs,
  ship: Ship,
  defer: (run: () => void) => void,
  work: (source: Hold, target: Hold) => Promise<Result>,
): Promise<Result> {
  return withHold(from, ship, defer, (source) => withHold(to, ship, defer, (target) => work(source, target)));
}

/** Appends to a log and waits: for room, and for what was appended. */
export class Appender {
  #writer: Writer | null = null;
  #failure: SeguroError | null = null;
  #wake: (() => void)[] = [];

  static async open(hold: Hold, log: number, acknowledged: (height: bigint) => void): Promise<Appender> {
    const appender = new Appender();
    const rouse = (): void => {
      for (const wake of appender.#wake.splice(0)) {
        wake();
      }
    };
    appender.#writer = await hold.openLog(log, {
      acknowledged: () => {
        acknowledged(appender.height);
        rouse();
      },
      failed: (error) => {
        appender.#failure ??= error;
        rouse();
      },
      room: rouse,
    });
    return appender;
  }

  get writer(): Writer {
    if (this.#writer === null) {
      throw new Error("invariant: an appender is used before it is open");
    }
    return this.#writer;
  }

  get height(): bigint {
    return this.writer.claim.log.height;
  }

  /** Takes the next input; resolves when there is room for more. Throws what ended the writer. */
  async push(input: Parameters<Writer["push"]>[0]): Promise<void> {
    this.writer.push(input);
    await this.#until(() => this.writer.hasRoom);
  }

  /** Resolves when everything up to `id` is durable. Throws what ended the writer. */
  reached(id: bigint): Promise<void> {
    return this.#until(() => this.height >= id);
  }

  close(): Promise<void> {
    return this.writer.close();
  }

  async #until(done: () => boolean): Promise<void> {
    while (this.#failure === null && !done()) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    if (this.#failure !== null) {
      throw this.#failure;
    }
  }
}
