// The FoundationDB engine keeps the promises of the interface, over a database in memory: in whole answers, and in answers of two rows.
import t from "tap";
import { systemTime } from "../../src/operate/clock.ts";
import { FoundationKv } from "../../src/store/foundationdb/engine.ts";
import { FakeDatabase } from "../store/foundationdb-fake.ts";
import { conformance } from "./kv.ts";

for (const rowsMax of [Number.MAX_SAFE_INTEGER, 2]) {
  conformance(t, `foundationdb, ${rowsMax === 2 ? "two rows" : "all rows"} an answer`, async () => {
    const database = new FakeDatabase();
    database.rowsMax = rowsMax;
    const kv = new FoundationKv(database, { prefix: Buffer.from("s/"), time: systemTime, fragmentBytes: rowsMax === 2 ? 20_000 : 90_000 });
    return { kv, done: () => kv.close() };
  });
}
