// Events and batches above one transaction of a real cluster: whole or absent, whenever the sidecar is killed between two of their transactions.
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { Client } from "../../src/client/client.ts";
import { PIECE_BYTES } from "../../src/log/limits.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { systemTime } from "../../src/operate/clock.ts";
import { makeShip } from "../../src/ship.ts";
import { connect } from "../../src/store/foundationdb/client.ts";
import type { Database } from "../../src/store/foundationdb/transactions.ts";
import { packFragment, packStem } from "../../src/store/foundationdb/tuple.ts";
import type { Kv } from "../../src/store/kv.ts";
import { afterPrefix, keys, type LogName } from "../../src/store/layout.ts";
import { openKv } from "../../src/store/open.ts";
import { seguroJson } from "../cli/command.ts";
import { Cluster } from "./cluster.ts";
import { effort, eventsOf, Machine } from "./harness.ts";
import { withoutCluster } from "./installed.ts";

const SHIP = "~zod";
const LOG: LogName = { ship: makeShip(0n, "real"), log: 1 };
const SMALL_EVENTS = 3n;
const CHUNK_BYTES = 1 << 20;
const HUGEST_BYTES = 300_000_000;
/** Kills of a unit where not all of its transactions get one. */
const SOME_KILLS = 3;
const POLL_MS = 2;
/** So slow that a kill comes between the transactions that it is meant to. */
const CHUNK_MS = 20;
const PREFIX = "huge/";

/** The test's own look at the cluster. */
interface Watch {
  readonly kv: Kv;
  readonly database: Database;
}

/** What is to be stored as a whole. */
interface Unit {
  readonly name: string;
  readonly payloads: readonly Buffer[];
  readonly atomic: boolean;
}

function filled(lengthBytes: number, text: string): Buffer {
  const bytes = Buffer.alloc(lengthBytes, text);
  for (let at = 0; at < lengthBytes - 8; at += CHUNK_BYTES) {
    bytes.writeDoubleLE(at, at);
  }
  return bytes;
}

const units: readonly Unit[] = [
  { name: "an event of 64 MB", payloads: [filled(64_000_000, "huge/")], atomic: false },
  { name: "a batch of 48 MB", payloads: Array.from({ length: 480 }, (_, index) => filled(100_000, `batch/${index}/`)), atomic: true },
];

/** The records in chunks, slowly. */
async function* chunksOf(records: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < records.length; at += CHUNK_BYTES) {
    yield records.subarray(at, at + CHUNK_BYTES);
    await sleep(CHUNK_MS);
  }
}

/** Sends the unit as the log's next events; throws when the connection is lost. */
async function send(client: Client, { payloads, atomic }: Unit, firstId: bigint): Promise<void> {
  const records = encodeRecords(firstId, payloads);
  if (atomic) {
    await client.appendAtomic({ firstId, count: BigInt(payloads.length), bytes: BigInt(records.length) }, chunksOf(records));
    return;
  }
  for await (const chunk of chunksOf(records)) {
    await client.append(chunk);
  }
}

async function opened(machine: Machine): Promise<{ client: Client; height: bigint; epoch: bigint }> {
  await machine.start();
  const client = await Client.connect(machine.socket, SHIP);
  const { height, epoch } = await client.open({ role: "write" });
  return { client, height, epoch };
}

/** Waits until the first fragment of a key is there, or the session has ended. */
async function appears({ database }: Watch, key: Buffer, client: Client): Promise<void> {
  const fragment = packFragment(packStem(Buffer.from(PREFIX), key), 0);
  while (client.failure === null) {
    const transaction = database.begin();
    const value = await transaction.get(fragment, true);
    transaction.cancel();
    if (value !== null) {
      return;
    }
    await sleep(POLL_MS);
  }
}

/** Kills the sidecar once the unit's piece (or, above the last, its manifest) is there; gives the height that its successor finds. */
async function killedAt(machine: Machine, watch: Watch, unit: Unit, piece: number): Promise<{ found: bigint; client: Client }> {
  const { client, height, epoch } = await opened(machine);
  const firstId = height + 1n;
  const lastPiece = piece * PIECE_BYTES >= unit.payloads.reduce((sum, { length }) => sum + length, 0);
  const sending = send(client, unit, firstId).catch(() => undefined);
  await appears(watch, lastPiece ? keys.block(LOG, firstId) : keys.piece(LOG, firstId, epoch, piece), client);
  await machine.end("SIGKILL");
  await sending;
  await client.close().catch(() => undefined);
  const next = await opened(machine);
  return { found: next.height, client: next.client };
}

/** No piece without a manifest is left. */
async function leftovers(kv: Kv, height: bigint): Promise<number> {
  const rows = await kv.range(keys.piecesFrom(LOG, height + 1n), afterPrefix(keys.pieces(LOG)), { limitRows: 1, limitBytes: 1 });
  return rows.count;
}

/** The events above `after` are the unit's. */
async function sameAs(client: Client, after: bigint, { payloads }: Unit): Promise<boolean> {
  let count = 0;
  for await (const { id, payload } of eventsOf(client.read({ from: after + 1n }))) {
    if (id !== after + 1n + BigInt(count) || payloads[count]?.equals(payload) !== true) {
      return false;
    }
    count++;
  }
  return count === payloads.length;
}

/** Kills the sidecar at so many places, evenly, or between any two transactions; then lets the unit through. */
async function killedBetween(t: Test, machine: Machine, watch: Watch, unit: Unit, kills: number): Promise<void> {
  const start = await opened(machine);
  const { height } = start;
  await start.client.close();
  await machine.end("SIGTERM");
  const pieces = Math.ceil(unit.payloads.reduce((sum, { length }) => sum + length, 0) / PIECE_BYTES);
  const step = Math.max(1, Math.ceil(pieces / kills));
  let there = false;
  for (let piece = 0; piece <= pieces && !there; piece += step) {
    const { found, client } = await killedAt(machine, watch, unit, piece);
    t.ok(found === height || found === height + BigInt(unit.payloads.length), `killed at piece ${piece} of ${pieces}: height ${found}`);
    t.equal(await leftovers(watch.kv, found), 0, "nothing half is left");
    there = found > height;
    await client.close();
    await machine.end("SIGTERM");
  }
  const { client } = await opened(machine);
  if (!there) {
    const begunMs = performance.now();
    await send(client, unit, height + 1n);
    await client.acknowledged(height + BigInt(unit.payloads.length));
    t.comment(`${unit.name}: ${Math.round(performance.now() - begunMs)} ms, the sidecar has ${machine.residentBytes() >> 20} MiB`);
  }
  t.ok(await sameAs(client, height, unit), "and it is there, byte for byte");
  t.match((await seguroJson(["verify", SHIP, "--socket", machine.socket])).json, { damage: [] });
  await client.close();
  await machine.end("SIGTERM");
}

t.test("units above one transaction of a real cluster", { skip: withoutCluster }, async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.stop());
  const machine = new Machine(t, cluster, "a", PREFIX);
  const clusterFile = cluster.copyOfClusterFile();
  const kv = await openKv(`foundationdb:${clusterFile}?prefix=${PREFIX}`, { startedAt: "", time: systemTime });
  const watch: Watch = { kv, database: await connect(clusterFile) };
  t.teardown(() => {
    watch.database.close();
    return kv.close();
  });
  const { client } = await opened(machine);
  await client.append(
    encodeRecords(
      1n,
      Array.from({ length: Number(SMALL_EVENTS) }, () => Buffer.from("small")),
    ),
  );
  await client.acknowledged(SMALL_EVENTS);
  await client.close();
  await machine.end("SIGTERM");
  for (const unit of units) {
    await t.test(unit.name, (t) => killedBetween(t, machine, watch, unit, effort > 1 ? Number.POSITIVE_INFINITY : SOME_KILLS));
  }

  if (effort > 1) {
    const unit: Unit = { name: "an event of 300 MB", payloads: [filled(HUGEST_BYTES, "hugest/")], atomic: false };
    await t.test(unit.name, (t) => killedBetween(t, machine, watch, unit, SOME_KILLS));
  }
});
