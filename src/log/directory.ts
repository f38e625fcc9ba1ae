// Which ships and logs a store holds: names resolved to ships, and the ends of their logs.
import { makeShip, type Ship, type ShipKind, shipNumber, shipText } from "../ship.ts";
import { StoreError } from "../store/errors.ts";
import type { Kv } from "../store/kv.ts";
import { afterPrefix, decodeRecord, keys, type LogName, type LogRecord, type ShipRecord, shipOfKey } from "../store/layout.ts";
import { eachRow } from "../store/rows.ts";
import { SeguroError } from "../wire/errors.ts";
import { mapSomeAtOnce } from "./at-once.ts";
import type { Pair } from "./block.ts";
import { readShip } from "./claim.ts";
import { readState } from "./log-records.ts";
import { type Move, moveOf } from "./moved.ts";
import type { OpenLogs } from "./open-logs.ts";

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
  /** Where else the ship's log lives, or goes, or comes from. */
  readonly move: Move | null;
  readonly logs: readonly LogSummary[];
}

export class Directory {
  readonly #kv: Kv;
  readonly #open: OpenLogs;

  constructor(kv: Kv, open: OpenLogs) {
    this.#kv = kv;
    this.#open = open;
  }

  /** Which ship a name means: the kind asked for, else whichever exists, else a real one that does not exist yet. */
  async resolve(name: string, kind: ShipKind | "either"): Promise<{ ship: Ship; record: ShipRecord | null }> {
    const number = shipNumber(name);
    if (number === null) {
      throw new SeguroError("no-such-ship", `"${name.slice(0, 64)}" is no ship's name`, "names look like ~zod or ~sampel-palnet");
    }
    if (kind !== "either") {
      const ship = makeShip(number, kind);
      return { ship, record: await readShip(this.#kv, ship) };
    }
    const real = makeShip(number, "real");
    const fake = makeShip(number, "fake");
    const [realRecord, fakeRecord] = await Promise.all([readShip(this.#kv, real), readShip(this.#kv, fake)]);
    if (realRecord !== null && fakeRecord !== null) {
      throw new SeguroError("ambiguous-ship", `a real and a fake ${name} exist here`, "say which: --real or --fake");
    }
    return fakeRecord === null ? { ship: real, record: realRecord } : { ship: fake, record: fakeRecord };
  }

  /** Every ship and log, in order of their keys. */
  async list(): Promise<ShipSummary[]> {
    const found: { ship: Ship; record: ShipRecord }[] = [];
    let from = keys.ships();
    const end = afterPrefix(keys.ships());
    for (let more = true; more; ) {
      const rows = await this.#kv.range(from, end);
      for (const row of eachRow(rows)) {
        found.push({ ship: shipOfKey(row.key), record: decodeRecord<ShipRecord>(row.value, "a ship record", ["currentLog", "nextLog"]) });
        from = Buffer.concat([row.key, Buffer.from([0])]);
      }
      more = rows.more;
    }
    return mapSomeAtOnce(found, ({ ship, record }) => this.#summary(ship, record));
  }

  /** One ship's logs. */
  async summary(ship: Ship): Promise<ShipSummary> {
    return this.#summary(ship, await this.existing(ship));
  }

  /** A ship's record. Throws `no-such-ship`. */
  async existing(ship: Ship): Promise<ShipRecord> {
    const record = await readShip(this.#kv, ship);
    if (record === null) {
      throw new SeguroError("no-such-ship", `there is no log of ${shipText(ship)}`, "`seguro list` shows the ships there are");
    }
    return record;
  }

  /** `readState`. */
  state(name: LogName): Promise<LogRecord["state"] | null> {
    return readState(this.#kv, name);
  }

  async #summary(ship: Ship, record: ShipRecord): Promise<ShipSummary> {
    const logs: LogSummary[] = [];
    for (let number = 1; number < record.nextLog; number++) {
      const name: LogName = { ship, log: number };
      const state = await this.state(name);
      if (state !== null) {
        logs.push(await this.#logSummary(name, state));
      }
    }
    return { ship, currentLog: record.currentLog, move: moveOf(record), logs };
  }

  /** One damaged log must not hide the others. */
  async #logSummary(name: LogName, state: LogRecord["state"]): Promise<LogSummary> {
    try {
      const { base, height, pair } = await this.#open.look(name);
      return { log: name.log, state, base, height, pair: height === 0n ? null : pair };
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "store-damaged") {
        throw error;
      }
      return { log: name.log, state: "damaged", base: 0n, height: 0n, pair: null };
    }
  }
}
