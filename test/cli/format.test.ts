// Figures, tables, names from the command line, and what becomes of errors.
import t from "tap";
import { failureOf } from "../../src/cli/failure.ts";
import { count, duration, pairs, size, table } from "../../src/cli/format.ts";
import { eventId, kindOf, logNumber, shipName } from "../../src/cli/ships.ts";
import { ConnectionError } from "../../src/client/errors.ts";
import { PierError } from "../../src/pier/errors.ts";
import { StoreError } from "../../src/store/errors.ts";
import { SeguroError } from "../../src/wire/errors.ts";

t.test("figures", async (t) => {
  t.same([0n, 999, 1000, 1234567n].map(count), ["0", "999", "1,000", "1,234,567"]);
  t.same([0, 999.6, 1000, 1_500_000, 2n ** 40n].map(size), ["0 B", "1000 B", "1.00 kB", "1.50 MB", "1.10 TB"]);
  t.same([300, 42_000, 245_000, 7_500_000, 180_000_000].map(duration), ["0.3 s", "42 s", "4 min 5 s", "2 h 5 min", "2 d 2 h"]);
});

t.test("tables", async (t) => {
  const columns = [{ title: "SHIP" }, { title: "HEIGHT", right: true }, { title: "STATE" }];
  t.equal(table(columns, [["~zod", "12", ""]]), "SHIP  HEIGHT  STATE\n~zod      12\n");
  t.equal(
    pairs([
      ["a", "1"],
      ["long", "2"],
    ]),
    "a     1\nlong  2\n",
  );
});

t.test("arguments", async (t) => {
  t.equal(shipName("zod"), "~zod");
  t.equal(shipName("~sampel-palnet"), "~sampel-palnet");
  for (const wrong of ["", "~", "zodzod", "~zod/..", "~sampel-palnet-", "~ZOD"]) {
    t.throws(() => shipName(wrong), { code: "usage", exitCode: 2 }, wrong);
  }
  t.equal(logNumber("12"), 12);
  t.equal(eventId("9223372036854775807"), 9223372036854775807n);
  for (const wrong of ["0", "-1", "1.5", "x", "", "12345678901"]) {
    t.throws(() => logNumber(wrong), { code: "usage" }, wrong);
  }
  t.throws(() => eventId("0"), { code: "usage" });
  t.equal(kindOf({}), undefined);
  t.equal(kindOf({ fake: true }), "fake");
  t.throws(() => kindOf({ fake: true, real: true }), { code: "usage" });
});

t.test("errors and exit codes", async (t) => {
  const cases: [unknown, string, number][] = [
    [new SeguroError("ship-busy", "m", "h"), "ship-busy", 4],
    [new SeguroError("store-damaged", "m", "h"), "store-damaged", 5],
    [new SeguroError("internal", "m", "h"), "internal", 1],
    [new ConnectionError("cannot-connect", "m", "h"), "cannot-connect", 3],
    [new ConnectionError("connection-lost", "m", "h"), "connection-lost", 1],
    [new StoreError("store-locked", "m", "h"), "store-locked", 4],
    [new PierError("pier-damaged", "m", "h"), "pier-damaged", 5],
    [new PierError("pier-missing", "m", "h"), "pier-missing", 1],
    [Object.assign(new Error("m"), { code: "ENOSPC" }), "ENOSPC", 1],
    ["m", "failed", 1],
  ];
  for (const [error, code, exitCode] of cases) {
    t.match(failureOf(error), { code, message: "m", exitCode, hint: String });
  }
});
