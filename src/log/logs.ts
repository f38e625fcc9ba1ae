// All logs of a store as one process serves them: which ships there are, who writes them, and the end of logs.
import { makeShip, type Ship, type ShipKind, shipNumber, shipText } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import {
  afterPrefix,
  checkFormat,
  decodeRecord,
  encodeRecord,
  keys,
  type LogName,
  type LogRecord,
  type ShipRecord,
  shipOfKey,
} from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { SeguroError } from "../wire/errors.ts";
import type { Pair } from "./block.ts";
import { type Claim, claimShip, type Owner, readShip } from "./claim.ts";
import { Committer } from "./committer.ts";
import { Log } from "./log.ts";
import { Writer, type WriterEvents } from "./writer.ts";

export interface LogsOptions {
  /** This sidecar's instance, for the epoch records. */
  readonly writerId: string;
  /** Runs its argument after the event loop's present work (setImmediate). */
  readonly defer: (run: () => void) => void;
  /** False only in benchmarks: no digest is computed, nor may one be asked for. */
  readonly digests?: boolean;
}

export interface LogSummary {
  readonly log: number;
  /** "damaged": its end cannot be read, so base and height are 0; `verify` says more. */
  readonly state: LogRecord["state"] | "damaged";
  readonly base: bigint;
  readonly height: bigint;
  /** The newest digest that is known; null for an empty or damaged log. */
  readonly pair: Pair | null;
}

export interface ShipSummary {
  readonly ship: Ship;
  /** 0 when the last log was retired and no new one has begun. */
  readonly currentLog: number;
  readonly logs: readonly LogSummary[];
}

interface Live {
  readonly ship: Ship;
  readonly session: string;
  /** Ends the session when its claim is taken away. */
  readonly evict: (error: SeguroError) => void;
  /** Set while the session has ended and its last commits are being resolved. */
  settling: Promise<void> | null;
}

/** Keys deleted in one commit while a log is being forgotten, so that other ships' commits are not held up for long. */
const FORGET_ROWS = 256;

function liveKey(ship: Ship): string {
  return `${ship.kind}${ship.name}`;
}

export class Logs {
  readonly kv: Kv;
  readonly #committer: Committer;
  readonly #options: LogsOptions;
  readonly #live = new Map<string, Live>();
  /** Logs in use by sessions, so that readers and the writer of one log share what they know of it. */
  readonly #open = new Map<string, { log: Promise<Log>; users: number }>();

  private constructor(kv: Kv, options: LogsOptions) {
    this.kv = kv;
    this.#options = options;
    this.#committer = new Committer(kv, options.defer);
  }

  /** Checks (or writes) the store's format. Throws `store-newer`, `store-damaged`. */
  static async open(kv: Kv, options: LogsOptions): Promise<Logs> {
    await checkFormat(kv);
    return new Logs(kv, options);
  }

  /** Which ship a name means: the kind asked for, else whichever exists, else a real one that does not exist yet. */
  async resolve(name: string, kind: ShipKind | "either"): Promise<{ ship: Ship; record: ShipRecord | null }> {
    const number = shipNumber(name);
    if (number === null) {
      throw new SeguroError("no-such-ship", `"${name.slice(0, 64)}" is no ship's name`, "names look like ~zod or ~sampel-palnet");
    }
    if (kind !== "either") {
      const ship = makeShip(number, kind);
      return { ship, record: await readShip(this.kv, ship) };
    }
    const real = makeShip(number, "real");
    const fake = makeShip(number, "fake");
    const [realRecord, fakeRecord] = await Promise.all([readShip(this.kv, real), readShip(this.kv, fake)]);
    if (realRecord !== null && fakeRecord !== null) {
      throw new SeguroError("ambiguous-ship", `a real and a fake ${name} exist here`, "say which: --real or --fake");
    }
    return fakeRecord === null ? { ship: real, record: realRecord } : { ship: fake, record: fakeRecord };
  }

  /**
   * Claims a ship for one session and gives its writer. Throws `ship-busy` while another session writes it. A session that has just ended is
   * waited for: before a newcomer hears its height, every commit of the one before is resolved.
   */
  async claim(ship: Ship, session: string, evict: (error: SeguroError) => void, events: WriterEvents): Promise<Writer> {
    const key = liveKey(ship);
    for (let other = this.#live.get(key); other !== undefined; other = this.#live.get(key)) {
      if (other.settling === null) {
        throw new SeguroError(
          "ship-busy",
          `${shipText(ship)} is being written by ${other.session}`,
          "stop that one first; two writers would fork the log",
        );
      }
      await other.settling;
    }
    const live: Live = { ship, session, evict, settling: null };
    this.#live.set(key, live);
    try {
      const owner: Owner = { writer: this.#options.writerId, session };
      const claim = await claimShip(this.kv, this.#committer, ship, owner);
      const shared = await this.#adopt(claim);
      return new Writer(this.kv, this.#committer, shared, events, this.#options.digests ?? true);
    } catch (error) {
      this.#live.delete(key);
      throw error;
    }
  }

  /** Ends a writer: its commits are resolved, then the ship is free. */
  async release(writer: Writer): Promise<void> {
    const { ship } = writer.claim.log.name;
    const live = this.#live.get(liveKey(ship));
    const closing = writer.close().finally(() => {
      this.#live.delete(liveKey(ship));
      this.#forgetOpen(writer.claim.log.name);
    });
    if (live !== undefined) {
      live.settling = closing;
    }
    await closing;
  }

  /** Opens a log for reading. `done` must be called once. */
  async read(ship: Ship, logNumber: number): Promise<{ log: Log; done: () => void }> {
    const record = await readShip(this.kv, ship);
    const number = logNumber === 0 ? (record?.currentLog ?? 0) : logNumber;
    if (record === null || (logNumber === 0 && number === 0 && record.nextLog === 1)) {
      throw new SeguroError("no-such-ship", `there is no log of ${shipText(ship)}`, "`seguro list` shows the ships there are");
    }
    const name: LogName = { ship, log: number };
    const state = number === 0 ? null : await this.#state(name);
    if (state === null || state === "forgetting") {
      const text = number === 0 ? `the last log of ${shipText(ship)} was retired` : `${shipText(ship)} has no log ${number}`;
      throw new SeguroError("no-such-log", text, "`seguro list` shows the logs there are; --log names one");
    }
    const key = keys.log(name).toString("latin1");
    const entry = this.#open.get(key) ?? { log: Log.load(this.kv, name), users: 0 };
    entry.users++;
    this.#open.set(key, entry);
    const done = (): void => this.#forgetOpen(name);
    try {
      return { log: await entry.log, done };
    } catch (error) {
      done();
      throw error;
    }
  }

  /** As `read`, but a log whose end is damaged opens as well: it claims to go on for ever, so that verifying it finds where it stops being whole. */
  async readToVerify(ship: Ship, logNumber: number): Promise<{ log: Log; done: () => void }> {
    try {
      return await this.read(ship, logNumber);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "store-damaged") {
        throw error;
      }
      const number = logNumber === 0 ? (await this.#existing(ship)).currentLog : logNumber;
      return { log: await Log.endless(this.kv, { ship, log: number }), done: () => undefined };
    }
  }

  /** Every ship and log, in order of their keys. */
  async list(): Promise<ShipSummary[]> {
    const found: { ship: Ship; record: ShipRecord }[] = [];
    let from = keys.ships();
    const end = afterPrefix(keys.ships());
    for (let more = true; more; ) {
      const rows = await this.kv.range(from, end);
      for (const row of eachRow(rows)) {
        found.push({ ship: shipOfKey(row.key), record: decodeRecord<ShipRecord>(row.value, "a ship record", ["currentLog", "nextLog"]) });
        from = Buffer.concat([row.key, Buffer.from([0])]);
      }
      more = rows.more;
    }
    return Promise.all(found.map(({ ship, record }) => this.#summary(ship, record)));
  }

  /** One ship's logs. */
  async summary(ship: Ship): Promise<ShipSummary> {
    const record = await readShip(this.kv, ship);
    if (record === null) {
      throw new SeguroError("no-such-ship", `there is no log of ${shipText(ship)}`, "`seguro list` shows the ships there are");
    }
    return this.#summary(ship, record);
  }

  /** Ends the current log: the next session starts a new one. Refused while a writer lives. */
  async retire(ship: Ship): Promise<number> {
    await this.#existing(ship);
    return this.#underClaim(ship, "seguro retire", async (writer) => {
      // Read under the claim: another session may have ended one log and begun the next a moment ago.
      const { currentLog, nextLog } = await this.#existing(ship);
      if (currentLog === 0) {
        throw new SeguroError("no-such-log", `the last log of ${shipText(ship)} is retired already`, "the next session starts a new one");
      }
      const retired: ShipRecord = { currentLog: 0, nextLog };
      const record: LogRecord = { state: "retired" };
      await writer.commitAside(
        [
          { kind: "put", key: keys.ship(ship), value: [encodeRecord(retired)] },
          { kind: "put", key: keys.logRecord({ ship, log: currentLog }), value: [encodeRecord(record)] },
        ],
        0,
      );
      return currentLog;
    });
  }

  /** Deletes a retired log for good. May be called again when it was interrupted. Gives the number of events that were there. */
  async forget(ship: Ship, logNumber: number): Promise<bigint> {
    const name: LogName = { ship, log: logNumber };
    await this.#existing(ship);
    const state = await this.#state(name);
    if (state === null) {
      throw new SeguroError("no-such-log", `${shipText(ship)} has no log ${logNumber}`, "`seguro list` shows the logs there are");
    }
    if (state === "open") {
      throw new SeguroError(
        "not-retired",
        `log ${logNumber} of ${shipText(ship)} is in use`,
        `retire it first: seguro retire ${ship.name}`,
      );
    }
    const log = await this.#ends(name);
    const mark: LogRecord = { state: "forgetting" };
    await this.#commit([{ kind: "put", key: keys.logRecord(name), value: [encodeRecord(mark)] }]);
    await this.#deleteAll(name);
    return log.height === 0n ? 0n : log.height - log.base + 1n;
  }

  /** Takes the claim away from whoever holds it; says from whom. */
  async fence(ship: Ship, by: string): Promise<string | null> {
    const live = this.#live.get(liveKey(ship));
    if (live === undefined) {
      return null;
    }
    live.evict(
      new SeguroError("fenced", `${shipText(ship)} was fenced by ${by}`, "find out who took over before you start this runtime again"),
    );
    await live.settling;
    return live.session;
  }

  /** Who writes `ship` now, or null. */
  writerOf(ship: Ship): string | null {
    return this.#live.get(liveKey(ship))?.session ?? null;
  }

  /** Resolves when no commit waits or is under way. */
  async idle(): Promise<void> {
    await this.#committer.idle();
  }

  /** Readers of the log and its new writer share one Log, with what recovery found. */
  async #adopt(claim: Claim): Promise<Claim> {
    const key = keys.log(claim.log.name).toString("latin1");
    const entry = this.#open.get(key);
    if (entry === undefined) {
      this.#open.set(key, { log: Promise.resolve(claim.log), users: 1 });
      return claim;
    }
    entry.users++;
    try {
      const log = await entry.log;
      log.recovered(claim.log);
      return { ...claim, log };
    } catch (error) {
      this.#forgetOpen(claim.log.name);
      throw error;
    }
  }

  #forgetOpen(name: LogName): void {
    const key = keys.log(name).toString("latin1");
    const entry = this.#open.get(key);
    if (entry !== undefined) {
      entry.users--;
      if (entry.users === 0) {
        this.#open.delete(key);
      }
    }
  }

  async #existing(ship: Ship): Promise<ShipRecord> {
    const record = await readShip(this.kv, ship);
    if (record === null) {
      throw new SeguroError("no-such-ship", `there is no log of ${shipText(ship)}`, "`seguro list` shows the ships there are");
    }
    return record;
  }

  async #state(name: LogName): Promise<LogRecord["state"] | null> {
    const value = await this.kv.get(keys.logRecord(name));
    return value === null ? null : decodeRecord<LogRecord>(value, "a log record", ["state"]).state;
  }

  async #ends(name: LogName): Promise<Log> {
    const open = this.#open.get(keys.log(name).toString("latin1"));
    return open === undefined ? Log.load(this.kv, name) : open.log;
  }

  async #summary(ship: Ship, record: ShipRecord): Promise<ShipSummary> {
    const logs: LogSummary[] = [];
    for (let number = 1; number < record.nextLog; number++) {
      const name: LogName = { ship, log: number };
      const state = await this.#state(name);
      if (state !== null) {
        logs.push(await this.#logSummary(name, state));
      }
    }
    return { ship, currentLog: record.currentLog, logs };
  }

  /** One damaged log must not hide the others. */
  async #logSummary(name: LogName, state: LogRecord["state"]): Promise<LogSummary> {
    try {
      const { base, height, pair } = await this.#ends(name);
      return { log: name.log, state, base, height, pair: height === 0n ? null : pair };
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "store-damaged") {
        throw error;
      }
      return { log: name.log, state: "damaged", base: 0n, height: 0n, pair: null };
    }
  }

  async #underClaim<Result>(ship: Ship, session: string, work: (writer: Writer) => Promise<Result>): Promise<Result> {
    const nothing = (): void => undefined;
    const writer = await this.claim(ship, session, nothing, { acknowledged: nothing, failed: nothing, room: nothing });
    try {
      return await work(writer);
    } finally {
      await this.release(writer);
    }
  }

  async #commit(writes: Parameters<Committer["submit"]>[0]["writes"]): Promise<void> {
    await this.#committer.submit({ checks: [], writes }, 0);
  }

  /** Deletes the log's rows a few at a time, its record last. */
  async #deleteAll(name: LogName): Promise<void> {
    const record = keys.logRecord(name);
    const end = afterPrefix(keys.log(name));
    for (let from = keys.log(name); ; ) {
      const rows = await this.kv.range(from, end, { limitRows: FORGET_ROWS });
      const found = [...eachRow(rows)].map((row) => Buffer.from(row.key)).filter((key) => !key.equals(record));
      const last = found.at(-1);
      if (last === undefined) {
        break;
      }
      await this.#commit(found.map((key) => ({ kind: "delete", key }) as const));
      from = Buffer.concat([last, Buffer.from([0])]);
    }
    await this.#commit([{ kind: "delete", key: record }]);
  }
}
