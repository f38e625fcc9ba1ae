// The journal's ship files: damage there is one log's and is named, forgetting removes one ship's folder, and what a crash leaves goes.
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { verifyLog } from "../../src/log/verify.ts";
import { makeShip, type Ship } from "../../src/ship.ts";
import { StoreError } from "../../src/store/errors.ts";
import { openJournal } from "../../src/store/journal.ts";
import type { Kv } from "../../src/store/kv.ts";
import { keys } from "../../src/store/layout.ts";
import { append, events } from "./migrate-stores.ts";
import { openLogs, readBack, zod } from "./probe.ts";

const nec = makeShip(1n, "real");
const ships = [zod, nec];
const options = {
  startedAt: "2026-01-01T00:00:00Z",
  overlayBytes: 64 * 1024,
  segmentBytes: 16 * 1024 * 1024,
  shipFileBytes: 128 * 1024,
};
const eventBytes = 20_000;
const eventCount = 60;
const folderOf = (ship: Ship) => `01-${ship.number.toString(16).padStart(32, "0")}`;
const zodsFiles = path.join("ships", folderOf(zod), "1");
const filesBelow = (dir: string) =>
  readdirSync(dir, { recursive: true })
    .map((name) => path.join(dir, String(name)))
    .filter((file) => statSync(file).isFile())
    .sort();

/** Both ships with a log of a few ship files; the last events may be in the commit log alone. */
async function makeStore(dir: string): Promise<void> {
  const kv = openJournal(dir, options);
  const logs = await openLogs(kv);
  for (let id = 1n; id <= eventCount; id += 3n) {
    for (const ship of ships) await append(logs, id, events(id, 3, eventBytes), ship);
  }
  for (let turn = 0; Number((await kv.stats()).frozenBytes) > 0 && turn < 100; turn++) await sleep(20);
  await kv.close();
}

async function verify(kv: Kv, ship: Ship): Promise<{ events: bigint; damage: string[] }> {
  const logs = await openLogs(kv);
  const { log, done } = await logs.readToVerify(ship, 1);
  const { events, damage } = await verifyLog(kv, log, () => undefined);
  done();
  return { events, damage: damage.map(({ id, code, text }) => `${id} ${code} ${text}`) };
}

async function until(condition: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 200 && !condition(); turn++) await sleep(20);
  return condition();
}

const root = t.testdir();
const sound = path.join(root, "sound");
t.before(() => makeStore(sound));

function copyOf(name: string): string {
  const dir = path.join(root, name);
  cpSync(sound, dir, { recursive: true });
  return dir;
}

t.test("each log has files of its own, and figures say what was written", async (t) => {
  t.strictSame(readdirSync(path.join(sound, "ships")), ships.map(folderOf));
  for (const ship of ships) {
    const files = filesBelow(path.join(sound, "ships", folderOf(ship)));
    t.ok(files.length > 3, `${files.length} files`);
    for (const file of files) t.match(path.basename(file), /^\d{10}\.blocks$/);
  }
  for (const name of readdirSync(path.join(sound, "ships"), { recursive: true })) {
    t.equal(statSync(path.join(sound, "ships", String(name))).mode & 0o077, 0, String(name));
  }
  const dir = path.join(root, "figures");
  await makeStore(dir);
  const kv = openJournal(dir, options);
  const logs = await openLogs(kv);
  await append(logs, BigInt(eventCount) + 1n, events(1n, 30, eventBytes));
  let figures = await kv.stats();
  for (let turn = 0; Number(figures.shipBytesWritten) === 0 && turn < 200; turn++) {
    await sleep(20);
    figures = await kv.stats();
  }
  t.ok(Number(figures.eventBytes) >= 30 * eventBytes, `${figures.eventBytes} bytes of events`);
  t.ok(Number(figures.writeAmplificationPercent) > 100, `${figures.writeAmplificationPercent} %`);
  t.ok(Number(figures.shipFiles) >= filesBelow(path.join(sound, "ships")).length);
  t.ok(Number(figures.shipBytesWritten) > 0 && Number(figures.shipFileBytes) > 2 * 40 * eventBytes);
  await kv.close();
});

const damages: Readonly<Record<string, (file: string) => void>> = {
  "a flipped bit": (file) => {
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(70_000) ^ 8, 70_000);
    writeFileSync(file, bytes);
  },
  "a page of zeros": (file) => {
    const bytes = readFileSync(file);
    bytes.fill(0, 69_632, 73_728);
    writeFileSync(file, bytes);
  },
  "a file cut short": (file) => truncateSync(file, 70_000),
  "a file that is missing": (file) => rmSync(file),
};

for (const [what, damage] of Object.entries(damages)) {
  for (const which of ["a middle", "the newest"] as const) {
    t.test(`${what}, in ${which} file: verify names it, the other ship is whole`, async (t) => {
      const dir = copyOf(`${what} ${which}`.replaceAll(" ", "-"));
      const files = filesBelow(path.join(dir, zodsFiles)).filter((file) => statSync(file).size > 80_000);
      const file = files.at(which === "a middle" ? 1 : -1) ?? "";
      damage(file);
      for (const readOnly of [true, false]) {
        const kv = openJournal(dir, { ...options, readOnly });
        const { events, damage: found } = await verify(kv, zod);
        t.ok(events < eventCount && found.length > 0, found.join("; "));
        t.match(found.join(), "store-damaged");
        t.match(found.join(), file);
        t.match(found.join(), folderOf(zod));
        t.strictSame(await verify(kv, nec), { events: BigInt(eventCount), damage: [] });
        await kv.close();
      }
      // Others go on, and so does the base.
      const kv = openJournal(dir, options);
      const logs = await openLogs(kv);
      await append(logs, BigInt(eventCount) + 1n, events(BigInt(eventCount) + 1n, 20, eventBytes), nec);
      t.strictSame(await verify(kv, nec), { events: BigInt(eventCount) + 20n, damage: [] });
      // What is damaged can be forgotten; a log whose end cannot be read is not claimed.
      if (which === "a middle") {
        await logs.retire(zod);
        await logs.forget(zod, 1);
        t.ok(await until(() => !existsSync(path.join(dir, "ships", folderOf(zod)))));
      }
      await kv.close();
    });
  }
}

t.test("what lies before the damage is read", async (t) => {
  const dir = copyOf("before");
  const file = filesBelow(path.join(dir, zodsFiles)).at(2) ?? "";
  rmSync(file);
  const kv = openJournal(dir, options);
  const { events: whole } = await verify(kv, zod);
  t.ok(whole > 3n, `${whole} events`);
  const { rows, error } = await rowsBeforeError(kv);
  t.ok(rows > 1, `${rows} rows`);
  t.match(error, { code: "store-damaged", message: file });
  await kv.close();
});

/** The rows of zod's blocks that come in ranges, as far as they do. */
async function rowsBeforeError(kv: Kv): Promise<{ rows: number; error: StoreError }> {
  let rows = 0;
  let from = keys.block({ ship: zod, log: 1 }, 0n);
  const end = keys.block({ ship: zod, log: 1 }, 1_000_000n);
  for (;;) {
    try {
      const { bytes, count } = await kv.range(from, end, { limitBytes: 50_000 });
      rows += count;
      let at = 0;
      for (let row = 0; row < count; row++) {
        const keyBytes = bytes.readUInt32LE(at);
        from = Buffer.concat([bytes.subarray(at + 8, at + 8 + keyBytes), Buffer.alloc(1)]);
        at += 8 + keyBytes + bytes.readUInt32LE(at + 4);
      }
      if (count === 0) throw new Error("the range came to its end");
    } catch (error) {
      if (error instanceof StoreError) return { rows, error };
      throw error;
    }
  }
}

async function forgetting(t: Test, dir: string): Promise<void> {
  const others = filesBelow(path.join(dir, "ships", folderOf(nec))).map((file) => ({ file, bytes: readFileSync(file) }));
  const kv = openJournal(dir, options);
  const logs = await openLogs(kv);
  await logs.retire(zod);
  await logs.forget(zod, 1);
  t.ok(await until(() => !existsSync(path.join(dir, "ships", folderOf(zod)))), "its folder goes at once");
  for (const { file, bytes } of others) t.ok(readFileSync(file).subarray(0, bytes.length).equals(bytes), file);
  t.strictSame(await verify(kv, nec), { events: BigInt(eventCount), damage: [] });
  await append(logs, 1n, events(7n, 20, eventBytes));
  t.equal((await readBack(kv, logs)).size, 20);
  await kv.close();
  const again = openJournal(dir, options);
  t.equal((await readBack(again, await openLogs(again))).size, 20);
  t.strictSame(await verify(again, nec), { events: BigInt(eventCount), damage: [] });
  await again.close();
}

t.test("forgetting removes the ship's folder and only it", (t) => forgetting(t, copyOf("forget")));

t.test("what a crash left is removed or cut off, and nothing else", async (t) => {
  const dir = copyOf("leftovers");
  const tail = filesBelow(path.join(dir, zodsFiles)).at(-1) ?? "";
  const { size } = statSync(tail);
  appendFileSync(tail, Buffer.alloc(300_000, 7));
  const unknown = path.join(dir, "ships", `02-${"0".repeat(32)}`, "3");
  mkdirSync(unknown, { recursive: true });
  writeFileSync(path.join(unknown, "0000000007.blocks"), "left");
  writeFileSync(path.join(dir, zodsFiles, "0000099999.blocks"), "left");
  writeFileSync(path.join(dir, zodsFiles, "notes.txt"), "an operator's");
  const kv = openJournal(dir, options);
  t.ok(await until(() => !existsSync(path.dirname(unknown)) && !existsSync(path.join(dir, zodsFiles, "0000099999.blocks"))));
  t.ok(existsSync(path.join(dir, zodsFiles, "notes.txt")));
  const logs = await openLogs(kv);
  await append(logs, BigInt(eventCount) + 1n, events(BigInt(eventCount) + 1n, 40, eventBytes));
  t.ok(await until(() => statSync(tail).size <= size), "cut");
  for (const ship of ships) t.strictSame((await verify(kv, ship)).damage, []);
  await kv.close();
});

t.test("a base of the format before is refused, and not changed", async (t) => {
  const dir = copyOf("older");
  const file = path.join(dir, "base", "data.mdb");
  const bytes = readFileSync(file);
  const mark = Buffer.concat([Buffer.alloc(400, 0xff), Buffer.from([2, 0, 0, 0, 0, 0, 0, 0])]);
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) bytes.writeUInt8(1, at + 400);
  writeFileSync(file, bytes);
  t.throws(() => openJournal(dir, options), { code: "store-older" });
  t.ok(readFileSync(file).equals(bytes));
  t.strictSame(filesBelow(path.join(dir, "ships")).length, filesBelow(path.join(sound, "ships")).length);
});
