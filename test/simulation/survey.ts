// The end of a simulated world: all faults are over, a new sidecar takes each ship over, appends one event, and everything there is is read.
import { createHash } from "node:crypto";
import { decodeBlockHeader } from "../../src/log/block.ts";
import { digestBefore } from "../../src/log/digest.ts";
import type { Log } from "../../src/log/log.ts";
import type { Logs } from "../../src/log/logs.ts";
import { listMeta } from "../../src/log/meta.ts";
import { verifyLog } from "../../src/log/verify.ts";
import type { Ship } from "../../src/ship.ts";
import type { Kv } from "../../src/store/kv.ts";
import { afterPrefix, keyRest, keys } from "../../src/store/layout.ts";
import { eachRow } from "../../src/store/rows.ts";
import { SCOPE_TOP } from "../../src/wire/constants.ts";
import { type FinalLog, markOf } from "./history.ts";
import { readEvents } from "./lookers.ts";
import { Runtime } from "./runtime.ts";
import type { Sidecar } from "./sidecar.ts";
import type { World } from "./world.ts";

/** Claims every ship once more, and gives what its logs hold. */
export async function survey(world: World): Promise<FinalLog[]> {
  const sidecar = world.restart(world.plan.machines);
  const finals: FinalLog[] = [];
  for (const ship of world.ships) {
    await lastSession(world, sidecar, ship);
    finals.push(...(await sidecar.process.call(async () => finalLogs(await sidecar.logs(), ship))));
  }
  return finals;
}

/** Everything is well again: the ship must be there to be had, by a new machine, sooner or later. */
async function lastSession(world: World, sidecar: Sidecar, ship: Ship): Promise<void> {
  const around = {
    scheduler: world.scheduler,
    history: world.history,
    sidecars: (): [Sidecar] => [sidecar],
    closing: false,
    appended: () => undefined,
  };
  await new Runtime(ship, around, world.chance.fork(), { huge: 0, atomic: 0, metadata: 0, batchMax: 1, thinkMs: 1 }).lastSession();
}

async function finalLogs(logs: Logs, ship: Ship): Promise<FinalLog[]> {
  const { logs: summaries } = await logs.summary(ship);
  const finals: FinalLog[] = [];
  for (const summary of summaries) {
    const { log, done } = await logs.read(ship, summary.log);
    finals.push(await finalLog(logs, ship, log));
    done();
  }
  return finals;
}

async function finalLog({ kv }: Logs, ship: Ship, log: Log): Promise<FinalLog> {
  const report = await verifyLog(kv, log, () => undefined);
  const wrong = report.damage.map(({ id, text }) => `verify says at event ${id}: ${text}`);
  const events =
    report.damage.length > 0 || log.height === 0n ? new Map<bigint, Buffer>() : await readEvents(kv, log, log.base, log.height);
  if (report.damage.length === 0 && !digestOf(ship, events).equals(report.digest)) {
    wrong.push("the digest chain is not that of the events");
  }
  wrong.push(...(await leftovers(kv, log)));
  const marks = new Map([...events].map(([id, payload]) => [id, markOf(payload)]));
  const entries = await listMeta(kv, log.name, SCOPE_TOP);
  const meta = new Map(entries.map(({ key, value }) => [key.toString(), markOf(value)]));
  return { ship: ship.name, log: log.name.log, height: log.height, events: marks, meta, wrong };
}

/** Rows that no reader would ever look at: blocks above the height, pieces without a manifest. */
async function leftovers(kv: Kv, log: Log): Promise<string[]> {
  const wrong: string[] = [];
  const staged = new Map<string, number>();
  const blocks = keys.blocks(log.name);
  for (const row of eachRow(await kv.range(blocks, afterPrefix(blocks), { limitBytes: 1 << 30 }))) {
    const header = decodeBlockHeader(row.value);
    if (header.firstId > log.height) {
      wrong.push(`the block at event ${header.firstId} was left above the height ${log.height}`);
    }
    if (header.manifest !== null) {
      staged.set(`${header.firstId} ${header.manifest.stagedEpoch}`, header.manifest.pieces);
    }
  }
  const pieces = keys.pieces(log.name);
  for (const row of eachRow(await kv.range(pieces, afterPrefix(pieces), { limitBytes: 1 << 30 }))) {
    const rest = keyRest(row.key);
    const [firstId, epoch, index] = [rest.readBigUInt64BE(0), rest.readBigUInt64BE(8), rest.readUInt32BE(16)];
    if (index >= (staged.get(`${firstId} ${epoch}`) ?? 0)) {
      wrong.push(`piece ${index} of the events from ${firstId}, of epoch ${epoch}, was left without a manifest`);
    }
  }
  return wrong;
}

/** The digest after the last event, by the book (docs/protocol.md, "Digest"). */
function digestOf(ship: Ship, events: ReadonlyMap<bigint, Buffer>): Buffer {
  const [base = 1n] = events.keys();
  let { digest } = digestBefore(ship, base);
  for (const [id, payload] of events) {
    const head = Buffer.alloc(16);
    head.writeBigUInt64LE(id, 0);
    head.writeBigUInt64LE(BigInt(payload.length), 8);
    const own = createHash("sha256").update(payload).digest();
    digest = createHash("sha256").update(digest).update(head).update(own).digest();
  }
  return digest;
}
