// A host's thousands of ships: listed in parts that fit into frames, none missing and none twice, and not all read at once.
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { askShips } from "../../src/cli/ask-ships.ts";
import { makeShip } from "../../src/ship.ts";
import type { RangeOptions, Rows } from "../../src/store/kv.ts";
import { encodeRecord, keys } from "../../src/store/layout.ts";
import { FaultyKv } from "../log/faulty-kv.ts";
import { connect, startSidecar } from "./helpers.ts";

const SHIPS = 8_000;
/** 64 ships, each with the few reads that its summary may take side by side. */
const READS_AT_ONCE_MAX = 64 * 4;

/** Counts the reads that are under way; each takes a turn of the event loop, as if it came from a cluster. */
class CountingKv extends FaultyKv {
  #underWay = 0;
  most = 0;
  total = 0;

  override get(key: Buffer): Promise<Buffer | null> {
    return this.#counted(() => super.get(key));
  }

  override range(from: Buffer, to: Buffer, options?: RangeOptions): Promise<Rows> {
    return this.#counted(() => super.range(from, to, options));
  }

  async #counted<T>(read: () => Promise<T>): Promise<T> {
    this.#underWay++;
    this.total++;
    this.most = Math.max(this.most, this.#underWay);
    await turn();
    try {
      return await read();
    } finally {
      this.#underWay--;
    }
  }
}

t.test("8,000 ships are listed", async (t) => {
  const kv = new CountingKv();
  // Then each ship's writer is asked for as well.
  kv.shared = true;
  const sidecar = await startSidecar({ kv });
  t.teardown(() => sidecar.stop());
  const names: string[] = [];
  for (let number = 0n; number < SHIPS; number++) {
    const ship = makeShip(number, "real");
    names.push(ship.name);
    const writes = [
      { kind: "put", key: keys.ship(ship), value: [encodeRecord({ currentLog: 1, nextLog: 2 })] },
      { kind: "put", key: keys.logRecord({ ship, log: 1 }), value: [encodeRecord({ state: "open" })] },
    ] as const;
    await kv.commit([{ checks: [], writes }]);
  }
  const admin = await connect(sidecar, null);
  await admin.open({ role: "admin" });
  for (const verb of ["list", "status"]) {
    const { ships } = (await askShips(admin, { verb })) as unknown as { ships: { ship: string }[] };
    t.same(
      ships.map(({ ship }) => ship),
      names,
      verb,
    );
    t.ok(kv.total > 3 * SHIPS, `${verb} read the store ${kv.total} times`);
    t.ok(kv.most > 1 && kv.most <= READS_AT_ONCE_MAX, `${kv.most} of them at the same time`);
    kv.total = 0;
  }
  await admin.close();
});
