// A journal store on disk with known events, and real damage to its commit log.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { startSidecar } from "../../src/cli/start-sidecar.ts";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { makeLogger } from "../../src/operate/logger.ts";
import { openJournal } from "../../src/store/journal.ts";
import { seguroJson } from "./command.ts";

export const startedAt = "2026-01-01T00:00:00Z";

/** Repeats its name, so that the name is found in one piece in the segment that holds it. */
export function payloadOf(ship: string, id: bigint, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${ship}-event-${id};`);
}

/** A journal store with events 1 to `count` of ~nec and ~zod, in turns, one commit each; and a log of ~bus that is retired. */
export async function makeStore(folder: string, count: bigint, bytes: number): Promise<string> {
  const dir = path.join(folder, "store");
  const kv = openJournal(dir, { startedAt, segmentBytes: 1024 * 1024 });
  const socketPath = path.join(folder, "made");
  const sidecar = await startSidecar({ kv, socketPath, logger: makeLogger("silent") });
  const clients = new Map<string, Client>();
  for (const ship of ["~bus", "~nec", "~zod"]) {
    const client = await Client.connect(socketPath, ship);
    await client.open({ role: "write" });
    clients.set(ship, client);
  }
  const append = async (ship: string, id: bigint): Promise<void> => {
    await clients.get(ship)?.append(encodeRecords(id, [payloadOf(ship, id, bytes)]));
    await clients.get(ship)?.acknowledged(id);
  };
  await append("~bus", 1n);
  await clients.get("~bus")?.close();
  const admin = await Client.connect(socketPath, null);
  await admin.open({ role: "admin" });
  await admin.admin({ verb: "retire", ship: "~bus" });
  await admin.close();
  for (let id = 1n; id <= count; id++) {
    await append("~nec", id);
    await append("~zod", id);
  }
  // As after a kill: sessions end without their last digest.
  await sidecar.stop();
  await kv.close();
  return dir;
}

export const segmentsOf = (dir: string): string[] =>
  readdirSync(path.join(dir, "segments"))
    .filter((name) => name.endsWith(".segment"))
    .sort()
    .map((name) => path.join(dir, "segments", name));

/** The newest segment that holds an event, and where: behind the end that a cut has set there may be leftovers. */
export function find(dir: string, ship: string, id: bigint): { file: string; at: number } {
  for (const file of segmentsOf(dir).reverse()) {
    const at = readFileSync(file).indexOf(`;${ship}-event-${id};`);
    if (at >= 0) return { file, at };
  }
  throw new Error(`event ${id} of ${ship} is in no segment`);
}

export function flip(dir: string, ship: string, id: bigint): string {
  const { file, at } = find(dir, ship, id);
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(at + 3) ^ 4, at + 3);
  writeFileSync(file, bytes);
  return file;
}

/** What `list` says of the ships. */
interface Listed {
  readonly ships: { ship: string; logs: { state: string; height: string }[] }[];
}

export async function statesOf(store: string): Promise<Record<string, string>> {
  const { json } = await seguroJson(["list", "--store", store]);
  const listed = json as unknown as Listed;
  return Object.fromEntries(listed.ships.map(({ ship, logs }) => [ship, logs.map(({ state }) => state).join()]));
}
