// All logs of a store as one process serves them: who writes which ship, and the ways to read, list and end their logs.
import { type Ship, type ShipKind, shipText } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { checkFormat, keys, type LogName, type ShipRecord } from "../store/layout.ts";
import { SeguroError } from "../wire/errors.ts";
import { Beat, type WriterIdentity } from "./beat.ts";
import { type Claim, claimNoLog, claimShip, endClaim, type Grant, type Owner, readShip, releaseClaim } from "./claim.ts";
import { type Clock, endsWithin } from "./clock.ts";
import { Committer } from "./committer.ts";
import { Directory, type ShipSummary } from "./directory.ts";
import { Log } from "./log.ts";
import { OpenLogs } from "./open-logs.ts";
import { forget, retire } from "./retirement.ts";
import { decodeEpoch, describeOwner, Succession } from "./succession.ts";
import { Writer, type WriterEvents } from "./writer.ts";

export interface LogsOptions {
  /** This sidecar, for the epoch records and its beat. */
  readonly writer: WriterIdentity;
  readonly clock: Clock;
  /** Runs its argument after the event loop's present work (setImmediate). */
  readonly defer: (run: () => void) => void;
  /** False only in benchmarks: no digest is computed, nor may one be asked for. */
  readonly digests?: boolean;
}

interface Live {
  readonly session: string;
  /** Ends the session when its claim is taken away. */
  readonly evict: (error: SeguroError) => void;
  /** Null while it is still being waited for, and of who leaves the current log alone. */
  claim: Claim | null;
  /** Not a session, but somebody who `manages` the ship (`Owner`). */
  readonly manages: boolean;
  /** Set while the session has ended and its last commits are being resolved. */
  settling: Promise<void> | null;
}

/** What only stores that several processes share need. */
interface Sharing {
  readonly beat: Beat;
  readonly succession: Succession;
}

/** How long a store may take to answer before it is said that it does not. */
const ANSWER_MS = 3_000;
/** How long a newcomer waits for the commits of the session before it; a store may be away for minutes. */
const SETTLE_MS = 5_000;

function liveKey(ship: Ship): string {
  return `${ship.kind}${ship.name}`;
}

export class Logs {
  readonly kv: Kv;
  readonly #committer: Committer;
  readonly #options: LogsOptions;
  readonly #live = new Map<string, Live>();
  readonly #open: OpenLogs;
  readonly #directory: Directory;
  readonly #sharing: Sharing | null;

  private constructor(kv: Kv, options: LogsOptions) {
    const { clock, defer, writer } = options;
    this.kv = kv;
    this.#options = options;
    this.#committer = new Committer(kv, defer);
    this.#open = new OpenLogs(kv, clock);
    this.#directory = new Directory(kv, this.#open);
    this.#sharing = kv.shared
      ? { beat: new Beat(this.#committer, clock, writer), succession: new Succession(kv, this.#committer, clock, writer) }
      : null;
  }

  /** Checks (or writes) the store's format. Throws `store-newer`, `store-damaged`. */
  static async open(kv: Kv, options: LogsOptions): Promise<Logs> {
    await checkFormat(kv);
    return new Logs(kv, options);
  }

  /** `Directory.resolve`. */
  resolve(name: string, kind: ShipKind | "either"): Promise<{ ship: Ship; record: ShipRecord | null }> {
    return this.#directory.resolve(name, kind);
  }

  /** `Directory.list`. */
  list(): Promise<ShipSummary[]> {
    return this.#directory.list();
  }

  /** `Directory.summary`. */
  summary(ship: Ship): Promise<ShipSummary> {
    return this.#directory.summary(ship);
  }

  /**
   * Claims a ship for one session and gives its writer. A session of this process that has just ended is waited for: before a newcomer hears its
   * height, every commit of the one before is resolved. In a store that others share a beat is watched where that must be, for about a lease.
   *
   * Throws `ship-busy` while another session writes the ship, `claim-settling` when the one before takes too long to end, `ship-moved` for a ship
   * that lives in another store, except to who `manages` it (`Owner`), or the store's error.
   */
  async claim(ship: Ship, session: string, evict: (error: SeguroError) => void, events: WriterEvents, manages = false): Promise<Writer> {
    const live = await this.#enter(ship, session, evict, manages);
    try {
      const claim = await this.#claim(ship, this.#owner(session, manages));
      live.claim = claim;
      return new Writer(this.kv, this.#committer, claim, events, this.#options.digests ?? true);
    } catch (error) {
      this.#live.delete(liveKey(ship));
      throw error;
    }
  }

  /** Once no other session of this process has the ship; throws `ship-busy`, `claim-settling`. */
  async #enter(ship: Ship, session: string, evict: Live["evict"], manages: boolean): Promise<Live> {
    const key = liveKey(ship);
    for (let other = this.#live.get(key); other !== undefined; other = this.#live.get(key)) {
      await this.#awaitEnd(ship, other);
    }
    const live: Live = { session, evict, claim: null, manages, settling: null };
    this.#live.set(key, live);
    return live;
  }

  async #claim(ship: Ship, owner: Owner): Promise<Claim> {
    await this.#sharing?.beat.begin();
    const claim = await claimShip(this.kv, this.#committer, ship, owner, this.#sharing?.succession ?? null);
    try {
      return await this.#open.adopt(claim);
    } catch (error) {
      await this.#letGo(claim);
      throw error;
    }
  }

  /** Others would take this process, which lives, for the ship's writer. */
  async #letGo(claim: Grant): Promise<void> {
    if (this.#sharing !== null) {
      await releaseClaim(this.#committer, this.#options.clock, claim);
    }
  }

  async #awaitEnd(ship: Ship, { settling, session, claim }: Live): Promise<void> {
    if (settling === null) {
      const text = `${shipText(ship)} is being ${claim !== null ? "written" : "claimed"} by ${session}`;
      throw new SeguroError("ship-busy", text, "stop that one first; two writers would fork the log");
    }
    if (!(await endsWithin(this.#options.clock, SETTLE_MS, settling))) {
      const text = `${session}, which wrote ${shipText(ship)} before, still has commits under way`;
      throw new SeguroError("claim-settling", text, "try again in a moment; `seguro status` says whether the store answers");
    }
  }

  #owner(session: string, manages: boolean): Owner {
    return { writer: this.#options.writer.id, session, manages };
  }

  /** Ends a writer: its commits are resolved, then the ship is free. */
  async release(writer: Writer): Promise<void> {
    const { name } = writer.claim.log;
    const key = liveKey(name.ship);
    const live = this.#live.get(key);
    const closing = this.#close(writer).finally(() => {
      this.#live.delete(key);
      this.#open.written(name);
    });
    if (live !== undefined) {
      live.settling = closing;
    }
    await closing;
  }

  async #close(writer: Writer): Promise<void> {
    await writer.close();
    await this.#letGo(writer.claim);
  }

  /** Opens a log for reading. `done` must be called once. */
  async read(ship: Ship, logNumber: number): Promise<{ log: Log; done: () => void }> {
    const record = await readShip(this.kv, ship);
    const number = logNumber === 0 ? (record?.currentLog ?? 0) : logNumber;
    if (record === null || (logNumber === 0 && number === 0 && record.nextLog === 1)) {
      throw new SeguroError("no-such-ship", `there is no log of ${shipText(ship)}`, "`seguro list` shows the ships there are");
    }
    const name: LogName = { ship, log: number };
    const state = number === 0 ? null : await this.#directory.state(name);
    if (state === null || state === "forgetting") {
      const text = number === 0 ? `the last log of ${shipText(ship)} was retired` : `${shipText(ship)} has no log ${number}`;
      throw new SeguroError("no-such-log", text, "`seguro list` shows the logs there are; --log names one");
    }
    return this.#open.read(name);
  }

  /** As `read`, but a log whose end is damaged opens as well: it claims to go on for ever, so that verifying it finds where it stops being whole. */
  async readToVerify(ship: Ship, logNumber: number): Promise<{ log: Log; done: () => void }> {
    try {
      return await this.read(ship, logNumber);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "store-damaged") {
        throw error;
      }
      const number = logNumber === 0 ? (await this.#directory.existing(ship)).currentLog : logNumber;
      return { log: await Log.endless(this.kv, { ship, log: number }), done: () => undefined };
    }
  }

  /** Calls `listener` after each rise of the height of a log opened with `read`, whoever writes it; returns what ends that. */
  follow(log: Log, listener: () => void): () => void {
    return this.#open.follow(log, listener);
  }

  /** Ends the current log, which is repaired first: the next session starts a new one. Refused while a writer lives. Gives the log's number. */
  async retire(ship: Ship): Promise<number> {
    await this.#directory.existing(ship);
    const nothing = (): void => undefined;
    const writer = await this.claim(ship, "seguro retire", nothing, { acknowledged: nothing, failed: nothing, room: nothing }, true);
    try {
      return await retire(this.#directory, writer);
    } finally {
      await this.release(writer);
    }
  }

  /**
   * Deletes a retired log for good. May be called again when it was interrupted. Gives the number of events that were there. A session of this
   * process that writes the ship is not disturbed; throws `ship-busy` while another process's does, and when the session ends meanwhile.
   */
  async forget(ship: Ship, logNumber: number): Promise<bigint> {
    await this.#directory.existing(ship);
    const of = { kv: this.kv, committer: this.#committer, directory: this.#directory, open: this.#open };
    const live = this.#live.get(liveKey(ship));
    // Under a session's claim nobody else ends logs or moves the ship, and the session itself knows its own log only.
    if (live !== undefined && live.claim !== null && !live.manages && live.settling === null) {
      return forget(of, ship, live.claim, logNumber);
    }
    return this.#besideLog(ship, "seguro forget", (grant) => forget(of, ship, grant, logNumber));
  }

  /**
   * Takes the claim away from whoever holds it, alive or not, in this process or another; says from whom, or null when nobody held it. Nothing of
   * that session can be committed afterwards. Throws `ship-busy` when somebody claimed the ship at the same moment.
   */
  async fence(ship: Ship, by: string): Promise<string | null> {
    const live = this.#live.get(liveKey(ship));
    const other = this.#sharing === null ? null : await endClaim(this.kv, this.#committer, ship, this.#owner(`seguro fence (${by})`, true));
    if (live === undefined || live.claim === null) {
      return other === null ? null : describeOwner(this.kv, other);
    }
    live.evict(
      new SeguroError("fenced", `${shipText(ship)} was fenced by ${by}`, "find out who took over before you start this runtime again"),
    );
    await live.settling;
    return live.session;
  }

  /**
   * Who writes `ship` now, or null. Of another process it is said from the records: one that died without a word counts as writing until
   * its ship is claimed or fenced.
   */
  async writerOf(ship: Ship): Promise<string | null> {
    const live = this.#live.get(liveKey(ship));
    if (live !== undefined || this.#sharing === null) {
      return live?.session ?? null;
    }
    const value = await this.kv.get(keys.epoch(ship));
    const record = value === null ? null : decodeEpoch(value);
    if (record === null || record.released === true || record.writer === this.#options.writer.id) {
      return null;
    }
    return (await this.kv.get(keys.beat(record.writer))) === null ? null : describeOwner(this.kv, record);
  }

  /** Whether the store answers now: one that others share may be away for minutes. */
  async answers(): Promise<boolean> {
    return !this.kv.shared || endsWithin(this.#options.clock, ANSWER_MS, this.kv.get(keys.format()));
  }

  /** Once no session is left: resolves when no commit waits or is under way, and others see that this process writes no more. */
  async close(): Promise<void> {
    await this.#committer.idle();
    await this.#sharing?.beat.end();
  }

  /** Runs `work` under a claim of the ship that does not look at its current log: what is wrong with that one hinders no work on others. */
  async #besideLog<Result>(ship: Ship, session: string, work: (grant: Grant) => Promise<Result>): Promise<Result> {
    const live = await this.#enter(ship, session, () => undefined, true);
    try {
      await this.#sharing?.beat.begin();
      const grant = await claimNoLog(this.kv, this.#committer, ship, this.#owner(session, true), this.#sharing?.succession ?? null);
      return await work(grant).finally(() => (live.settling = this.#letGo(grant)));
    } finally {
      this.#live.delete(liveKey(ship));
    }
  }
}
