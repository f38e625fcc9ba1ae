// A store says which format it has: a newer one is refused, and so is data that is no store of ours.
import t from "tap";
import { checkFormat, FORMAT, formatOfMoves, keys } from "../../src/store/layout.ts";
import { MemoryKv } from "../../src/store/memory.ts";

async function storeWith(key: Buffer, value: string): Promise<MemoryKv> {
  const kv = new MemoryKv();
  await kv.commit([{ checks: [], writes: [{ kind: "put", key, value: [Buffer.from(value)] }] }]);
  return kv;
}

t.test("an empty store is marked once, and opens again", async (t) => {
  const kv = new MemoryKv();
  await checkFormat(kv);
  const marked = await kv.get(keys.format());
  await checkFormat(kv);
  t.same(await kv.get(keys.format()), marked);
});

t.test("a newer format is refused", async (t) => {
  const kv = await storeWith(keys.format(), JSON.stringify({ seguro: "store", format: FORMAT + 1 }));
  await t.rejects(checkFormat(kv), { code: "store-newer", hint: "update Seguro" });
});

t.test("a store in which a ship was moved has a format that an older Seguro refuses", async (t) => {
  const kv = new MemoryKv();
  await checkFormat(kv);
  t.match(String(await kv.get(keys.format())), '"format":1}');
  await kv.commit([{ checks: [], writes: [formatOfMoves()] }]);
  t.match(String(await kv.get(keys.format())), '"format":2}');
  await checkFormat(kv);
  t.match(String(await kv.get(keys.format())), '"format":2}', "it stays");
});

t.test("data without a format record, or with a broken one, is refused and left alone", async (t) => {
  const foreign = await storeWith(Buffer.from("somebody's"), "data");
  await t.rejects(checkFormat(foreign), { code: "store-damaged" });
  t.equal(await foreign.get(keys.format()), null);
  for (const broken of ["", "{", "[]", '{"seguro":"store"}']) {
    await t.rejects(checkFormat(await storeWith(keys.format(), broken)), { code: "store-damaged" }, JSON.stringify(broken));
  }
});
