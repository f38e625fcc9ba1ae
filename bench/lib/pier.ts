// A pier as large as one likes, with events sized as Vere's are: mostly small, some middling, a few large ones.
import path from "node:path";
import { pathToFileURL } from "node:url";
import { repository } from "./programs.ts";

const BUFFER_BYTES = 4 << 20;
/** Prime, so that payloads begin at ever other places of the noise. */
const NOISE_STRIDE = 7919;

/** Out of every 1000 events so many have about so many bytes: most are small cards, now and then a page of a file or a whole desk. */
const SHAPE: readonly { readonly count: number; readonly bytes: number }[] = [
  { count: 700, bytes: 200 },
  { count: 200, bytes: 700 },
  { count: 80, bytes: 4000 },
  { count: 18, bytes: 30_000 },
  { count: 2, bytes: 400_000 },
];

/** The built modules: the same code as the command under test runs, and they know where the addon lies. */
async function built<T>(module: string): Promise<T> {
  return (await import(pathToFileURL(path.join(repository, "dist", module)).href)) as T;
}

/** Sizes in a fixed order in which large ones stand scattered among small ones. */
function sizes(): number[] {
  const all = SHAPE.flatMap(({ count, bytes }) => Array.from({ length: count }, (_, index) => bytes + ((index * 37) % 101)));
  // 619 and 1000 have no common divisor, so that every place is visited once.
  return all.map((_, index) => all[(index * 619) % all.length] ?? 0);
}

function noise(lengthBytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(lengthBytes / 4));
  let state = 0x9e3779b9;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer, 0, lengthBytes);
}

/** Writes a pier of ~zod (a fake one) with at least `eventBytes` of events. */
export async function writePier(folder: string, eventBytes: number): Promise<{ events: number }> {
  const { PierWriter } = await built<typeof import("../../src/pier/write.ts")>("pier/write.js");
  const { encodeRecords } = await built<typeof import("../../src/native/records.ts")>("native/records.js");
  const meta = new Map([
    ["who", Buffer.alloc(0)],
    ["fake", Buffer.alloc(0)],
    ["life", Buffer.from([3])],
    ["version", Buffer.from([1])],
  ]);
  const writer = await PierWriter.create(folder, { topMeta: meta });
  await writer.epoch({ base: 0n, meta, epocTxt: "2", vereTxt: "4.6" });
  const shape = sizes();
  const source = noise(BUFFER_BYTES);
  let events = 0;
  for (let written = 0; written < eventBytes; ) {
    const payloads: Buffer[] = [];
    let held = 0;
    for (; held < BUFFER_BYTES; events++) {
      const size = shape[events % shape.length] ?? 0;
      const at = (events * NOISE_STRIDE) % (BUFFER_BYTES - size);
      payloads.push(source.subarray(at, at + size));
      held += size;
    }
    await writer.records(encodeRecords(BigInt(events - payloads.length + 1), payloads));
    written += held;
  }
  await writer.finish();
  return { events };
}
