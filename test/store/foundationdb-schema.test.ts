// The rows that docs/schema.md shows in a FoundationDB cluster are what the engine writes.
import t from "tap";
import { systemTime } from "../../src/operate/clock.ts";
import { FoundationKv } from "../../src/store/foundationdb/engine.ts";
import { checkFormat } from "../../src/store/layout.ts";
import { generatedPart, hexLines } from "../documents.ts";
import { FakeDatabase } from "./foundationdb-fake.ts";

const SHOWN_BYTES = 64;

function render([key, value]: [string, Buffer]): string {
  const all = hexLines(value, "    ");
  const some = `${hexLines(value.subarray(0, 32), "    ")} ...\n    (${value.length.toLocaleString("en")} bytes)`;
  return `  ${Buffer.from(key, "latin1").toString("hex")}\n${value.length > SHOWN_BYTES ? some : all}`;
}

t.test("docs/schema.md shows physical rows as they are written", async (t) => {
  const database = new FakeDatabase();
  const kv = new FoundationKv(database, { prefix: Buffer.from("seguro/"), time: systemTime });
  await checkFormat(kv);
  const value = Buffer.alloc(200_000, "0123456789");
  await kv.commit([{ checks: [], writes: [{ kind: "put", key: Buffer.from([3, 0, 0xff]), value: [value] }] }]);
  const now = `\n\`\`\`\n${database.stored().map(render).join("\n")}\n\`\`\`\n\n`;
  t.equal(generatedPart("schema.md", "foundationdb example", now), now);
  await kv.close();
});
