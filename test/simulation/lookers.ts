// Readers: somebody opens a log at some sidecar, reads what is there, perhaps follows it for a while, and notes every event.
import type { Log } from "../../src/log/log.ts";
import { RecordReader } from "../../src/log/reader.ts";
import { splitRecords } from "../../src/native/records.ts";
import type { Ship } from "../../src/ship.ts";
import type { Kv } from "../../src/store/kv.ts";
import { type History, type Mark, markOf } from "./history.ts";
import type { Sidecar } from "./sidecar.ts";

/** Payloads of events `from` to `through`, all of which must be there. */
export async function readEvents(kv: Kv, log: Log, from: bigint, through: bigint): Promise<Map<bigint, Buffer>> {
  const reader = new RecordReader(kv, log.name, from, through);
  const parts: Buffer[] = [];
  for (let item = await reader.next(); item !== null; item = await reader.next()) {
    parts.push(Buffer.from(item.bytes));
  }
  return new Map(splitRecords(Buffer.concat(parts)).map(({ id, payload }) => [id, payload]));
}

/** Reads log `number` of a ship through `sidecar`, then what comes to it within `followMs`. */
export async function look(history: History, sidecar: Sidecar, ship: Ship, number: number, followMs: number): Promise<void> {
  const reader = history.name("r");
  try {
    await sidecar.process.call(async () => {
      history.add({ kind: "looking", reader, ship: ship.name, log: number, writes: sidecar.writes(ship, number) });
      const logs = await sidecar.logs();
      const { log, done } = await logs.read(ship, number);
      if (sidecar.writes(ship, number)) {
        // Since a moment ago: of a claim that was under way, and may have been superseded since it read the log's end.
        history.add({ kind: "looking", reader, ship: ship.name, log: number, writes: true });
      }
      const first = await note(history, reader, logs.kv, log, 0n);
      if (followMs > 0) {
        await sidecar.process.sleep(followMs);
        await note(history, reader, logs.kv, log, first);
      }
      done();
    });
  } catch (error) {
    if (!sidecar.isEnd(error)) {
      history.add({ kind: "misread", reader, text: error instanceof Error ? error.message : String(error) });
    }
  }
}

/** Notes what lies above event `after`; gives the height. */
async function note(history: History, reader: string, kv: Kv, log: Log, after: bigint): Promise<bigint> {
  const { base, height } = log;
  const from = after >= base ? after + 1n : base;
  const marks: Mark[] = [];
  if (height >= from && height > 0n) {
    const events = await readEvents(kv, log, from, height);
    marks.push(...[...events.values()].map(markOf));
  }
  history.add({ kind: "read", reader, height, firstId: from, marks });
  return height;
}
