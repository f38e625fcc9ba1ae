// A host's thousands of ships: listed in parts that fit into frames, none missing and none twice.
import t from "tap";
import { askShips } from "../../src/cli/ask-ships.ts";
import { makeShip } from "../../src/ship.ts";
import { encodeRecord, keys } from "../../src/store/layout.ts";
import { MemoryKv } from "../../src/store/memory.ts";
import { connect, startSidecar } from "./helpers.ts";

const SHIPS = 8_000;

t.test("8,000 ships are listed", async (t) => {
  const kv = new MemoryKv();
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
  }
  await admin.close();
});
