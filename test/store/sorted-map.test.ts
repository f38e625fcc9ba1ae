// The sorted map against a plain map, at sizes where its chunks split, empty and vanish.
import t from "tap";
import { SortedMap } from "../../src/store/sorted-map.ts";
import { Random } from "../crash/random.ts";

const key = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
const low = Buffer.alloc(0);
const high = Buffer.alloc(8, 0xff);

t.test("random operations", async (t) => {
  const seed = Number(process.env.SEGURO_SEED ?? process.pid);
  const random = new Random(seed);
  const map = new SortedMap<Buffer>();
  const model = new Map<number, number>();
  const same = () => {
    const expected = [...model].sort(([x], [y]) => x - y).map(([k, v]) => `${k}=${v}`);
    const up = Array.from(map.ascending(low, high), (e) => `${e.key.readUInt32BE()}=${e.value.readUInt32BE()}`);
    const down = Array.from(map.descending(low, high), (e) => `${e.key.readUInt32BE()}=${e.value.readUInt32BE()}`);
    return up.join() === expected.join() && down.reverse().join() === expected.join() && map.size === model.size;
  };
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 600; i++) {
      const n = random.between(0, 9999);
      if (random.between(0, 9) < 8) {
        map.set(key(n), key(i));
        model.set(n, i);
      } else {
        map.delete(key(n));
        model.delete(n);
      }
    }
    const from = random.between(0, 9999);
    const to = random.between(0, 9999);
    map.deleteRange(key(from), key(to));
    for (const n of model.keys()) if (n >= from && n < to) model.delete(n);
    if (!same()) t.fail(`seed ${seed}, round ${round}`);
    const inside = Array.from(map.descending(key(to), key(from + 3000)), (e) => e.key.readUInt32BE());
    const expected = [...model.keys()].filter((n) => n >= to && n < from + 3000).sort((x, y) => y - x);
    if (inside.join() !== expected.join()) t.fail(`seed ${seed}, round ${round}: descending`);
  }
  t.ok(same(), `seed ${seed}`);
});

t.test("ascending keys of several ships, interleaved, keep chunks full and stay quick", async (t) => {
  const map = new SortedMap<Buffer>();
  const ships = 8;
  const each = 20_000;
  for (let n = 0; n < each; n++) for (let ship = 0; ship < ships; ship++) map.set(key(ship * 2 ** 24 + n), low);
  t.equal(map.size, ships * each);
  t.equal([...map.ascending(key(3 * 2 ** 24), key(4 * 2 ** 24))].length, each);
  map.deleteRange(key(2 ** 24), key(7 * 2 ** 24));
  t.equal(map.size, 2 * each);
});
