// What lies in FoundationDB: keys that sort as the logical ones, fragments that say what they are, and damage that is found.
import fc from "fast-check";
import t from "tap";
import { systemTime } from "../../src/operate/clock.ts";
import { FoundationKv } from "../../src/store/foundationdb/engine.ts";
import { cutValue } from "../../src/store/foundationdb/fragments.ts";
import { packFragment, packStem, unpackFragment } from "../../src/store/foundationdb/tuple.ts";
import { FakeDatabase } from "./foundationdb-fake.ts";

const PREFIX = Buffer.from("seguro/");
const key = Buffer.from("k");

const bytes = fc
  .array(fc.constantFrom(0, 1, 0x14, 0x15, 0x7f, 0xfe, 0xff), { minLength: 0, maxLength: 6 })
  .map((list) => Buffer.from(list));
const index = fc.oneof(fc.constantFrom(0, 1, 255, 256, 65_535), fc.integer({ min: 0, max: 65_535 }));

/** The npm package of the tuple layer, where it is installed. */
async function tupleLayer(): Promise<{ pack(tuple: readonly (Buffer | number)[]): Buffer; unpack(packed: Buffer): unknown[] } | null> {
  const name: string = "fdb-tuple";
  return import(name).then(
    (loaded) => loaded.default,
    () => null,
  );
}

t.test("keys sort as (logical key, index) does, and can be read back", async (t) => {
  const result = fc.check(
    fc.property(bytes, index, bytes, index, (key1, index1, key2, index2) => {
      const one = packFragment(packStem(PREFIX, key1), index1);
      const two = packFragment(packStem(PREFIX, key2), index2);
      const expected = Buffer.compare(key1, key2) || Math.sign(index1 - index2);
      if (Buffer.compare(one, two) !== expected) throw new Error(`${one.toString("hex")} ${two.toString("hex")}`);
      const read = unpackFragment(one, PREFIX.length);
      if (read === null || !read.key.equals(key1) || read.index !== index1) throw new Error("read back");
      // A range's bound is a stem: it lies before all fragments of its key and of those after it.
      if (Buffer.compare(packStem(PREFIX, key1), two) > 0 !== Buffer.compare(key1, key2) > 0) throw new Error("bound");
    }),
    { numRuns: 5000 },
  );
  t.notOk(result.failed, fc.defaultReportMessage(result) ?? "no counterexample");
});

const layer = await tupleLayer();
const noLayer =
  layer === null && "fdb-tuple is not installed: npm leaves it out with the package foundationdb, where libfdb_c.so is missing";

t.test("keys are those of the tuple layer", { skip: noLayer }, async () => {
  fc.assert(
    fc.property(bytes, index, (key, index) => {
      const ours = packFragment(packStem(Buffer.alloc(0), key), index);
      if (layer?.pack([key, index]).equals(ours) !== true) throw new Error(ours.toString("hex"));
    }),
    { numRuns: 2000 },
  );
});

t.test("keys that are none of this layout", async (t) => {
  for (const hex of ["", "02", "0161", "016100", "01610013", "01610015", "0161001401", "0161001700000000", "016100ff14"]) {
    t.equal(unpackFragment(Buffer.from(hex, "hex"), 0), null, hex);
  }
});

t.test("a value as it lies", async (t) => {
  const fragments = cutValue([Buffer.from("12345"), Buffer.from("6789")], 15);
  t.strictSame(
    fragments.map((fragment) => fragment.toString("hex")),
    // "123456789" has the CRC32C e3069283.
    ["0100020009000000839206e3313233", "343536373839"],
  );
});

t.test("values of every size come back, and leave nothing of a longer one", async (t) => {
  const database = new FakeDatabase();
  const kv = new FoundationKv(database, { prefix: PREFIX, time: systemTime, fragmentBytes: 90_000 });
  const sizes = [8 * 1024 * 1024, 0, 1, 89_987, 89_988, 89_989, 89_999, 90_000, 90_001, 179_988, 179_989, 0];
  for (const size of sizes) {
    const value = Buffer.alloc(size, `${size}.`);
    await kv.commit([{ checks: [], writes: [{ kind: "put", key, value: [value.subarray(0, size >> 1), value.subarray(size >> 1)] }] }]);
    t.ok((await kv.get(key))?.equals(value), String(size));
    t.equal(database.stored().length, Math.max(1, Math.ceil((size + 12) / 90_000)), "fragments");
    t.ok(database.stored().every(([, fragment]) => fragment.length <= 90_000));
  }
  await kv.commit([{ checks: [], writes: [{ kind: "delete", key }] }]);
  t.strictSame(database.stored(), []);
});

t.test("damage is found, forwards and backwards, and other rows can be read", async (t) => {
  const stem = packStem(PREFIX, key);
  const at = (index: number) => packFragment(stem, index).toString("latin1");
  const flip = (fragment: Buffer, offset: number) => {
    const flipped = Buffer.from(fragment);
    flipped.writeUInt8(flipped.readUInt8(offset) ^ 1, offset);
    return flipped;
  };
  const damages: Record<string, (stored: Map<string, Buffer>) => [string, Buffer | null]> = {
    "the first fragment gone": () => [at(0), null],
    "one in the middle gone": () => [at(1), null],
    "the last one gone": () => [at(2), null],
    "one too many": () => [at(3), Buffer.from("x")],
    "a stray one far behind": () => [at(700), Buffer.from("x")],
    "one shortened": (stored) => [at(1), (stored.get(at(1)) as Buffer).subarray(1)],
    "a bit of the value": (stored) => [at(2), flip(stored.get(at(2)) as Buffer, 5)],
    "the head's version": (stored) => [at(0), flip(stored.get(at(0)) as Buffer, 0)],
    "the head's count": (stored) => [at(0), flip(stored.get(at(0)) as Buffer, 2)],
    "the head's length": (stored) => [at(0), flip(stored.get(at(0)) as Buffer, 4)],
    "the head's checksum": (stored) => [at(0), flip(stored.get(at(0)) as Buffer, 8)],
    "less than a head": () => [at(0), Buffer.alloc(11)],
    "a key of another kind": () => [`${stem.toString("latin1")}\x19`, Buffer.from("x")],
  };
  for (const [what, damage] of Object.entries(damages)) {
    const database = new FakeDatabase();
    const kv = new FoundationKv(database, { prefix: PREFIX, time: systemTime, fragmentBytes: 100 });
    await kv.commit([{ checks: [], writes: [{ kind: "put", key, value: [Buffer.alloc(250, "v")] }] }]);
    await kv.commit([{ checks: [], writes: [{ kind: "put", key: Buffer.from("l"), value: [Buffer.from("well")] }] }]);
    database.damage(...damage(new Map(database.stored())));
    const all: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.from("z")];
    await t.rejects(kv.get(key), { code: "store-damaged" }, `${what}: get`);
    await t.rejects(kv.range(...all), { code: "store-damaged" }, `${what}: range`);
    await t.rejects(kv.range(...all, { reverse: true }), { code: "store-damaged" }, `${what}: backwards`);
    await t.rejects(kv.commit([{ checks: [{ key, value: null }], writes: [] }]), { code: "store-damaged" }, `${what}: check`);
    t.equal((await kv.get(Buffer.from("l")))?.toString(), "well");
    await kv.close();
  }
});

t.test("a head that a newer Seguro wrote is no damage, and is left alone", async (t) => {
  const first = packFragment(packStem(PREFIX, key), 0).toString("latin1");
  for (const [version, flags] of [
    [2, 0],
    [1, 1],
    [255, 255],
  ] as const) {
    const database = new FakeDatabase();
    const kv = new FoundationKv(database, { prefix: PREFIX, time: systemTime, fragmentBytes: 100 });
    await kv.commit([{ checks: [], writes: [{ kind: "put", key, value: [Buffer.alloc(250, "v")] }] }]);
    const head = Buffer.from(new Map(database.stored()).get(first) as Buffer);
    head.writeUInt8(version, 0);
    head.writeUInt8(flags, 1);
    database.damage(first, head);
    const newer = { code: "store-newer", message: `version ${version} and flags ${flags}`, hint: /newer Seguro/ };
    const all: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.from("z")];
    await t.rejects(kv.get(key), newer);
    await t.rejects(kv.range(...all), newer);
    await t.rejects(kv.range(...all, { reverse: true }), newer);
    const checked = { checks: [{ key, value: null }], writes: [{ kind: "delete", key }] } as const;
    await t.rejects(kv.commit([checked]), newer);
    t.equal(database.stored().length, 3);
    await kv.close();
  }
});
