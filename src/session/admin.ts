// Administration: list, status, verify, retire, forget, fence, asked as JSON (docs/protocol.md, "Administration").
import { z } from "zod";
import { mapSomeAtOnce } from "../log/at-once.ts";
import type { ShipSummary } from "../log/directory.ts";
import type { Logs } from "../log/logs.ts";
import { verifyLog } from "../log/verify.ts";
import type { Ship } from "../ship.ts";
import { SeguroError } from "../wire/errors.ts";
import type { Access, SessionStatus } from "./context.ts";

const shipFields = { ship: z.string().max(64), kind: z.enum(["real", "fake"]).optional() };
const logNumber = z.int().min(1).max(0xffffffff);

const Request = z.discriminatedUnion("verb", [
  z.strictObject({ verb: z.literal("list") }),
  z.strictObject({ verb: z.literal("status"), ship: shipFields.ship.optional(), kind: shipFields.kind }),
  z.strictObject({ verb: z.literal("verify"), ...shipFields, log: logNumber.optional() }),
  z.strictObject({ verb: z.literal("retire"), ...shipFields }),
  z.strictObject({ verb: z.literal("forget"), ...shipFields, log: logNumber, confirm: z.string() }),
  z.strictObject({ verb: z.literal("fence"), ...shipFields }),
]);
type Request = z.infer<typeof Request>;

/** Sessions described in one answer, which is one frame; the count says how many there are. */
const SESSIONS_SHOWN = 1_500;
/** Ships and logs in one part of an answer: a part is one frame, and each of these is some 250 bytes of it. */
const ENTRIES_A_PART = 1_500;
/** Progress is said at most once for so many events. */
const PROGRESS_EVENTS = 20_000n;

export interface AdministrationOptions {
  readonly logs: Logs;
  readonly access: Access;
  readonly version: string;
  uptimeMs(): number;
  sessions(): SessionStatus[];
}

/** Event ids become text: JSON's numbers end at 2^53. */
function describeShip(summary: ShipSummary, writer: string | null): object {
  return {
    ship: summary.ship.name,
    kind: summary.ship.kind,
    currentLog: summary.currentLog,
    moved: summary.move,
    writer,
    logs: summary.logs.map(({ log, state, base, height, pair }) => ({
      log,
      state,
      base: String(base),
      height: String(height),
      events: String(height === 0n ? 0n : height - base + 1n),
      digest: pair === null ? null : { id: String(pair.id), digest: pair.digest.toString("hex") },
    })),
  };
}

interface Described {
  readonly ship: object;
  /** How many logs it has. */
  readonly logs: number;
}

export class Administration {
  readonly #options: AdministrationOptions;

  constructor(options: AdministrationOptions) {
    this.#options = options;
  }

  /** Answers one request of user `uid`; `more` sends progress. Throws a SeguroError or the store's error. */
  async answer(asked: unknown, uid: number, session: number, more: (progress: object) => void): Promise<object> {
    const parsed = Request.safeParse(asked);
    if (!parsed.success) {
      throw new SeguroError("bad-admin", `the request is wrong: ${z.prettifyError(parsed.error)}`, "see docs/protocol.md, Administration");
    }
    const request = parsed.data;
    switch (request.verb) {
      case "list":
        return { ships: this.#inParts(await this.#described(await this.#ships(uid)), more) };
      case "status":
        return this.#status(request, uid, more);
      case "verify":
        return this.#verify(request, uid, more);
      case "retire":
        return { log: await this.#options.logs.retire(await this.#administered(request, uid)) };
      case "forget":
        return this.#forget(request, uid);
      case "fence": {
        const ship = await this.#administered(request, uid);
        return { ship: ship.name, from: await this.#options.logs.fence(ship, `session ${session}`) };
      }
    }
  }

  /** Ships for an answer; what is too much for one frame goes out before the answer, in parts that hold ships only. Gives the last part. */
  #inParts(described: readonly Described[], more: (progress: object) => void): object[] {
    let ships: object[] = [];
    let entries = 0;
    for (const { ship, logs } of described) {
      if (entries >= ENTRIES_A_PART) {
        more({ ships });
        ships = [];
        entries = 0;
      }
      ships.push(ship);
      entries += 1 + logs;
    }
    return ships;
  }

  #described(summaries: readonly ShipSummary[]): Promise<Described[]> {
    return mapSomeAtOnce(summaries, async (summary) => {
      const writer = await this.#options.logs.writerOf(summary.ship);
      return { ship: describeShip(summary, writer), logs: summary.logs.length };
    });
  }

  async #ships(uid: number): Promise<ShipSummary[]> {
    const all = await this.#options.logs.list();
    return all.filter(({ ship }) => this.#options.access.mayUse(uid, ship.name));
  }

  async #status(request: Extract<Request, { verb: "status" }>, uid: number, more: (progress: object) => void): Promise<object> {
    const { logs, version, access } = this.#options;
    // A store that is away must not keep anybody from seeing that it is.
    const storeAnswers = await logs.answers();
    const ship = request.ship === undefined || !storeAnswers ? null : await this.#used({ ...request, ship: request.ship }, uid);
    const ships = !storeAnswers ? [] : ship === null ? await this.#ships(uid) : [await logs.summary(ship)];
    const shown = ship?.name ?? request.ship;
    const sessions = this.#options.sessions().filter((session) => {
      const visible = session.ship === null ? access.mayAdminister(uid) : access.mayUse(uid, session.ship);
      return visible && (shown === undefined || session.ship === shown);
    });
    return {
      version,
      uptimeMs: Math.round(this.#options.uptimeMs()),
      store: { name: logs.kv.name, ...(await logs.kv.stats()) },
      storeAnswers,
      ships: this.#inParts(await this.#described(ships), more),
      sessionCount: sessions.length,
      sessions: sessions.slice(0, SESSIONS_SHOWN).map((session) => ({ ...session, sinceMs: Math.round(session.sinceMs) })),
    };
  }

  async #verify(request: Extract<Request, { verb: "verify" }>, uid: number, more: (progress: object) => void): Promise<object> {
    const { logs } = this.#options;
    const ship = await this.#used(request, uid);
    const { log, done } = await logs.readToVerify(ship, request.log ?? 0);
    try {
      let said = 0n;
      const report = await verifyLog(logs.kv, log, (id, height) => {
        if (id - said >= PROGRESS_EVENTS) {
          said = id;
          more({ id: String(id), height: String(height) });
        }
      });
      return {
        ship: ship.name,
        kind: ship.kind,
        log: log.name.log,
        events: String(report.events),
        bytes: String(report.lengthBytes),
        id: String(report.id),
        digest: report.digest.toString("hex"),
        damage: report.damage.map(({ id, code, text }) => ({ id: String(id), code, text })),
      };
    } finally {
      done();
    }
  }

  async #forget(request: Extract<Request, { verb: "forget" }>, uid: number): Promise<object> {
    const ship = await this.#administered(request, uid);
    if (request.confirm !== ship.name) {
      throw new SeguroError("not-confirmed", "the confirmation does not repeat the ship's name", `confirm with "${ship.name}"`);
    }
    return { log: request.log, events: String(await this.#options.logs.forget(ship, request.log)) };
  }

  /** The ship a request names, for a user who may use it. */
  async #used(request: { ship: string; kind?: "real" | "fake" | undefined }, uid: number): Promise<Ship> {
    if (!this.#options.access.mayUse(uid, request.ship)) {
      throw new SeguroError("forbidden", `user ${uid} may not use ${request.ship}`, "the sidecar's configuration maps users to ships");
    }
    return (await this.#options.logs.resolve(request.ship, request.kind ?? "either")).ship;
  }

  async #administered(request: { ship: string; kind?: "real" | "fake" | undefined }, uid: number): Promise<Ship> {
    if (!this.#options.access.mayAdminister(uid)) {
      throw new SeguroError("forbidden", `user ${uid} may not do this`, "only the sidecar's own user may retire, forget and fence");
    }
    return this.#used(request, uid);
  }
}
