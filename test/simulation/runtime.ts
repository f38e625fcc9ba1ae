// A ship's runtime: it connects to some sidecar, claims its ship, appends for a while, loses interest or its connection, and comes again.
import { putMeta } from "../../src/log/meta.ts";
import type { Writer } from "../../src/log/writer.ts";
import type { Ship } from "../../src/ship.ts";
import { StoreError } from "../../src/store/errors.ts";
import { SCOPE_TOP } from "../../src/wire/constants.ts";
import { SeguroError } from "../../src/wire/errors.ts";
import type { Chance } from "./chance.ts";
import { type History, markOf } from "./history.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Sidecar } from "./sidecar.ts";
import { type Habits, Writing } from "./writing.ts";

/** What a runtime needs of the world around it. */
export interface Surroundings {
  readonly scheduler: Scheduler;
  readonly history: History;
  /** Sidecars to connect to, the usual one first. */
  sidecars(): readonly [Sidecar, ...Sidecar[]];
  /** Work is over: sessions end, and none begins. */
  readonly closing: boolean;
  /** Said after each batch; now and then something happens to its sidecar just then. */
  appended(sidecar: Sidecar): void;
}

const PAUSE_MS = 1_000;
const PATIENCE_MS = 4_000;

/** One session, from its claim to its end. */
interface Session {
  readonly name: string;
  readonly sidecar: Sidecar;
  writing: Writing | null;
  /** It failed, was fenced, or its process died. */
  over: boolean;
  /** The runtime has given it up without an answer: its connection is closed, which its sidecar sees as soon as it can. */
  abandoned: boolean;
  /** Continues whoever waits for something of this session. */
  wake: () => void;
}

export class Runtime {
  readonly #ship: Ship;
  readonly #around: Surroundings;
  readonly #chance: Chance;
  readonly #habits: Habits;
  /** Gave no answer the last time. */
  #avoided: Sidecar | null = null;

  constructor(ship: Ship, around: Surroundings, chance: Chance, habits: Habits) {
    this.#ship = ship;
    this.#around = around;
    this.#chance = chance;
    this.#habits = habits;
  }

  /** Lives until the world closes. */
  async live(): Promise<void> {
    const { scheduler } = this.#around;
    while (!this.#around.closing) {
      await this.#session(this.#chooseSidecar());
      await scheduler.sleep(this.#chance.around(PAUSE_MS));
    }
  }

  /** One session with a sidecar. */
  async visit(sidecar: Sidecar): Promise<void> {
    await this.#session(sidecar);
  }

  /** Claims, appends and releases once, however often it is turned away before. */
  async lastSession(): Promise<void> {
    const { scheduler } = this.#around;
    const [sidecar] = this.#around.sidecars();
    for (;;) {
      const session = await this.#open(sidecar);
      if (session !== null) {
        await this.#inside(session, (writing) => writing.append());
        while (!session.over && session.writing !== null && session.writing.height < session.writing.sent) {
          await this.#until(session, (writing) => writing.height >= writing.sent);
        }
        const acknowledged = !session.over;
        await this.#end(session);
        if (acknowledged) {
          return;
        }
      }
      await scheduler.sleep(this.#chance.around(PAUSE_MS));
    }
  }

  #chooseSidecar(): Sidecar {
    const sidecars = this.#around.sidecars();
    const others = sidecars.filter((one) => one !== this.#avoided);
    this.#avoided = null;
    return others[this.#chance.odds(0.75) ? 0 : this.#chance.between(0, others.length - 1)] ?? sidecars[0];
  }

  async #session(sidecar: Sidecar): Promise<void> {
    const session = await this.#open(sidecar);
    if (session !== null) {
      await this.#append(session);
      await this.#end(session);
    }
  }

  /** Claims the ship; null when that was refused, or the process died. */
  async #open(sidecar: Sidecar): Promise<Session | null> {
    const { history } = this.#around;
    const session: Session = { name: history.name("s"), sidecar, writing: null, over: false, abandoned: false, wake: () => undefined };
    history.add({ kind: "claiming", session: session.name, process: sidecar.process.name, ship: this.#ship.name });
    try {
      if (
        !(await this.#patiently(
          session,
          sidecar.process.call(() => this.#claim(session)),
        ))
      ) {
        return null;
      }
      return session;
    } catch (error) {
      this.#refused(session, error);
      return null;
    }
  }

  #refused({ name, sidecar }: Session, error: unknown): void {
    const { history } = this.#around;
    if (sidecar.isEnd(error)) {
      history.add({ kind: "ended", session: name, code: null, text: String(error) });
    } else {
      const code = error instanceof SeguroError || error instanceof StoreError ? error.code : "internal";
      history.add({ kind: "refused", session: name, code, text: error instanceof Error ? error.message : String(error) });
    }
  }

  /** In the sidecar: claims the ship. What the session is told goes into the history as it is said. */
  async #claim(session: Session): Promise<void> {
    const { history } = this.#around;
    const fail = (error: SeguroError): void => {
      if (!session.over) {
        session.over = true;
        const code = session.sidecar.isEnd(error) ? null : error.code;
        history.add({ kind: "ended", session: session.name, code, text: error.message });
        session.wake();
      }
    };
    let writer: Writer | null = null;
    const acknowledged = (): void => {
      if (writer !== null) {
        history.add({ kind: "acknowledged", session: session.name, height: writer.claim.log.height });
        session.wake();
      }
    };
    const logs = await session.sidecar.logs();
    writer = await logs.claim(this.#ship, session.name, fail, { acknowledged, failed: fail, room: () => session.wake() });
    session.sidecar.writers.add(writer);
    const { log, epoch } = writer.claim;
    history.add({ kind: "opened", session: session.name, log: log.name.log, epoch, height: log.height });
    session.writing = new Writing(session.name, writer, history, this.#chance, this.#habits);
    if (session.abandoned) {
      await this.#release(session);
    }
  }

  /** In the sidecar. */
  async #release(session: Session): Promise<void> {
    if (session.writing !== null) {
      this.#around.history.add({ kind: "releasing", session: session.name });
      await session.sidecar.release(session.writing.writer);
    }
    if (session.abandoned) {
      this.#around.history.add({ kind: "ended", session: session.name, code: null, text: "released, long abandoned" });
    }
  }

  /** Waits for an answer of the sidecar; false when that took too long, and the runtime has turned to others. */
  async #patiently(session: Session, answer: Promise<unknown>): Promise<boolean> {
    const { scheduler, history } = this.#around;
    answer.catch(() => undefined);
    if (session.abandoned) {
      return false;
    }
    const late = scheduler.sleep(PATIENCE_MS + this.#chance.around(3 * PATIENCE_MS)).then(() => true);
    if (!(await Promise.race([answer.then(() => false), late]))) {
      return true;
    }
    session.abandoned = true;
    this.#avoided = session.sidecar;
    if (!session.over) {
      history.add({ kind: "abandoned", session: session.name });
      session.over = true;
    }
    return false;
  }

  async #append(session: Session): Promise<void> {
    const batches = this.#chance.between(0, 14);
    for (let i = 0; i < batches && !session.over && !this.#around.closing; i++) {
      await this.#inside(session, (writing) => {
        if (this.#chance.odds(this.#habits.metadata)) {
          void this.#keep(session, writing);
        }
        writing.append();
        this.#around.appended(session.sidecar);
      });
      const dice = this.#chance.unit();
      if (dice < 0.15) {
        await this.#until(session, (writing) => writing.height >= writing.sent);
      } else if (dice < 0.4) {
        await this.#around.scheduler.sleep(this.#chance.around(this.#habits.thinkMs));
      }
      await this.#until(session, (writing) => writing.writer.hasRoom);
    }
    if (this.#chance.odds(0.6)) {
      await this.#until(session, (writing) => writing.height >= writing.sent);
    }
  }

  /** In the sidecar: stores a value of metadata, beside the events. Its failure is its session's. */
  async #keep(session: Session, { writer }: Writing): Promise<void> {
    const { history } = this.#around;
    const key = history.name("meta");
    const value = Buffer.from(`${session.name} of ${key}`);
    try {
      await putMeta((await session.sidecar.logs()).kv, writer, SCOPE_TOP, { key: Buffer.from(key), value });
      history.add({ kind: "kept", session: session.name, key, mark: markOf(value) });
    } catch (error) {
      if (!(error instanceof SeguroError || error instanceof StoreError)) {
        throw error;
      }
    }
  }

  async #end(session: Session): Promise<void> {
    const { history } = this.#around;
    if (session.abandoned) {
      // The sidecar sees the closed connection when it can.
      const released = session.sidecar.process.call(() => this.#release(session));
      released.catch(() => undefined);
      return;
    }
    const released = await this.#inside(session, () => this.#release(session));
    if (!session.over) {
      session.over = true;
      history.add({ kind: "ended", session: session.name, code: null, text: released ? "released" : "its process died" });
    }
  }

  /** Waits until something holds, the session is over, or patience is. */
  async #until(session: Session, holds: (writing: Writing) => boolean): Promise<void> {
    const { writing } = session;
    const { scheduler } = this.#around;
    const untilMs = scheduler.nowMs + this.#chance.around(PATIENCE_MS);
    while (writing !== null && !session.over && !holds(writing) && scheduler.nowMs < untilMs && !session.sidecar.process.dead) {
      await new Promise<void>((resolve) => {
        session.wake = resolve;
        scheduler.after(untilMs - scheduler.nowMs, resolve);
      });
    }
  }

  /** Does something in the session's process; false when that has died. */
  async #inside(session: Session, work: (writing: Writing) => void | Promise<void>): Promise<boolean> {
    const { writing } = session;
    try {
      return await this.#patiently(
        session,
        session.sidecar.process.call(() => (writing === null ? undefined : work(writing))),
      );
    } catch (error) {
      if (session.sidecar.isEnd(error)) {
        return false;
      }
      throw error;
    }
  }
}
