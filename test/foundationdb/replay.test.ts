// Long reads of a log on a real cluster: slower than FoundationDB's five seconds for one transaction, while appends go on, from any event.
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { Client } from "../../src/client/client.ts";
import { crc32c } from "../../src/native/checksum.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { seguroJson } from "../cli/command.ts";
import { Random } from "../crash/random.ts";
import { Cluster } from "./cluster.ts";
import { effort, eventsOf, Machine, seed } from "./harness.ts";
import { withoutCluster } from "./installed.ts";

const SHIP = "~zod";
const EVENTS = 3000n * BigInt(effort);
const EVENT_BYTES = 40_000;
const BATCH = 50;
/** Some 30 MB/s, which one server process can take. */
const BATCH_MS = 60;
/** Longer than a read version of FoundationDB is good for. */
const SLOW_MS = 9000;
const STARTS = 20;
const FULL_SPEED_MS = 6000;

function payloadOf(id: bigint): Buffer {
  return Buffer.alloc(EVENT_BYTES - Number(id % 97n), `${seed}/${id}/`);
}

/** Reads from an event to another one; throws at the first that is not as it must be. */
async function readOver(client: Client, from: bigint, to: bigint, pause: (id: bigint) => Promise<void>): Promise<void> {
  let next = from;
  for await (const { id, payload } of eventsOf(client.read({ from, limit: to - from + 1n, windowBytes: 1 << 20 }))) {
    const expected = payloadOf(id);
    if (id !== next || crc32c(payload) !== crc32c(expected) || !payload.equals(expected)) {
      throw new Error(`event ${id} where ${next} should be, or other bytes`);
    }
    next++;
    await pause(id);
  }
  if (next !== to + 1n) {
    throw new Error(`the read ends at ${next - 1n}, not at ${to}`);
  }
}

/** Appends events until `over`; gives the height. */
async function append(client: Client, from: bigint, over: (next: bigint) => boolean, pauseMs = BATCH_MS): Promise<bigint> {
  let next = from;
  while (!over(next)) {
    await client.append(
      encodeRecords(
        next,
        Array.from({ length: BATCH }, (_, index) => payloadOf(next + BigInt(index))),
      ),
    );
    next += BigInt(BATCH);
    await client.acknowledged(next - BigInt(BATCH * 4));
    await sleep(pauseMs);
  }
  return client.acknowledged(next - 1n);
}

t.test("long reads on a real cluster", { skip: withoutCluster }, async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.stop());
  t.comment(`seed ${seed}`);
  const machine = new Machine(t, cluster, "a", "replay/");
  await machine.start();
  const writer = await Client.connect(machine.socket, SHIP);
  await writer.open({ role: "write" });
  const begunMs = performance.now();
  const height = await append(writer, 1n, (next) => next > EVENTS);
  t.comment(`${(Number(height) * EVENT_BYTES) >> 20} MiB written in ${Math.round(performance.now() - begunMs)} ms`);
  const reader = await Client.connect(machine.socket, SHIP);
  await reader.open({ role: "read" });

  await t.test("from the first to the last event, at a pace of its own, while appends go on", async (t) => {
    const sinceMs = performance.now();
    let reading = true;
    const slow = readOver(reader, 1n, height, async (id) => {
      const dueMs = sinceMs + (SLOW_MS * Number(id)) / Number(height);
      if (dueMs - performance.now() > 20) {
        await sleep(dueMs - performance.now());
      }
    }).finally(() => {
      reading = false;
    });
    const appended = append(writer, height + 1n, () => !reading);
    await slow;
    t.ok(performance.now() - sinceMs > 6000, "the read was longer than five seconds");
    t.ok((await appended) > height, "appends went on");
  });

  await t.test("a reader that stops in the middle for a while", async (t) => {
    await readOver(reader, 1n, height, (id) => (id === height / 2n ? sleep(7000) : Promise.resolve()));
    t.pass("goes on");
  });

  await t.test("from any event", async (t) => {
    const random = new Random(seed);
    for (let start = 0; start < STARTS; start++) {
      const from = BigInt(random.between(1, Number(height)));
      const to = from + BigInt(random.between(0, 200));
      await readOver(reader, from, to < height ? to : height, () => Promise.resolve());
    }
    t.pass(`${STARTS} reads`);
  });
  await t.test("beside a writer that sends as fast as it can", async (t) => {
    let reading = true;
    let most = 0;
    let readMs = performance.now();
    const beside = readOver(reader, 1n, height / 6n, async () => {
      most = Math.max(most, performance.now() - readMs);
      readMs = performance.now();
    }).finally(() => {
      reading = false;
    });
    const sinceMs = performance.now();
    const before = writer.height;
    const end = await append(writer, before + 1n, () => !reading && performance.now() - sinceMs > FULL_SPEED_MS, 0);
    await beside;
    t.comment(`${(Number(end - before) * EVENT_BYTES) >> 20} MiB written meanwhile; the reader waited for ${Math.round(most)} ms at most`);
    t.ok(most < 10_000, "the cluster slows the writer, and the reader goes on");
    t.ok((await seguroJson(["status", "--socket", machine.socket])).code === 0, "and others are answered");
  });
  await writer.close();
  await reader.close();
  t.equal((await machine.end("SIGTERM")).code, 0);
});
