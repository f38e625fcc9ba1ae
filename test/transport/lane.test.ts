// Lanes against the way through JavaScript: the same log, whatever a client does in between; and what ends a lane in the middle.
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import t, { type Test } from "tap";
import { Client } from "../../src/client/client.ts";
import { BLOCK_HEADER_BYTES, decodeBlockHeader, encodeBlockHeader } from "../../src/log/block.ts";
import { digestBefore } from "../../src/log/digest.ts";
import { createDigestChain } from "../../src/native/digest-chain.ts";
import { splitRecords } from "../../src/native/records.ts";
import { makeShip } from "../../src/ship.ts";
import { openJournal } from "../../src/store/journal.ts";
import type { Commit, CommitOutcome, Kv } from "../../src/store/kv.ts";
import { afterPrefix, keys, type LogName } from "../../src/store/layout.ts";
import { eachRow } from "../../src/store/rows.ts";
import { startSidecar, type TestSidecar } from "../session/helpers.ts";
import { compileLane, LaneClient } from "./lane-client.ts";
import { testFolder } from "./native.ts";

const RUNS = Number(process.env.SEGURO_TEST_LANE_RUNS ?? 12);
const PAUSES = 1500;
const SHIP = "~zod";
const NAME: LogName = { ship: makeShip(0n, "fake"), log: 1 };
const program = compileLane(testFolder(t));

interface Place {
  readonly kv: Kv;
  readonly sidecar: TestSidecar;
  /** Commits that JavaScript has made of blocks. */
  blocksOfJavaScript(): number;
  end(): Promise<void>;
}

function putsBlock({ writes }: Commit): boolean {
  return writes.some((write) => write.kind === "put" && write.key.subarray(0, -8).equals(keys.blocks(NAME)));
}

async function start(folder: string, lanes: boolean, more: { overlayBytes?: number; segmentBytes?: number } = {}): Promise<Place> {
  const kv = openJournal(folder, { startedAt: "", lanes, segmentBytes: 8 << 20, ...more });
  let blocks = 0;
  const commit = kv.commit.bind(kv);
  kv.commit = (group: readonly Commit[]): Promise<CommitOutcome[]> => {
    blocks += group.filter(putsBlock).length;
    return commit(group);
  };
  const sidecar = await startSidecar({ kv });
  const end = async (): Promise<void> => {
    await sidecar.stop();
    await kv.close();
  };
  return { kv, sidecar, blocksOfJavaScript: () => blocks, end };
}

interface Block {
  readonly first: bigint;
  readonly value: Buffer;
}

async function blocksOf(kv: Kv): Promise<Block[]> {
  const prefix = keys.blocks(NAME);
  const rows = await kv.range(prefix, afterPrefix(prefix), { limitBytes: 2 ** 30 });
  return [...eachRow(rows)].map(({ key, value }) => ({
    first: Buffer.from(key).readBigUInt64BE(key.length - 8),
    value: Buffer.from(value),
  }));
}

/** What is wrong with the blocks of a log without manifests, or null; their records joined. */
async function judge(blocks: readonly Block[]): Promise<{ wrong: string | null; records: Buffer }> {
  const digests = new Map<bigint, string>([[0n, digestBefore(NAME.ship, 1n).digest.toString("hex")]]);
  const chain = createDigestChain(digestBefore(NAME.ship, 1n));
  let next = 1n;
  const problems: string[] = [];
  for (const { first, value } of blocks) {
    const header = decodeBlockHeader(value);
    const records = value.subarray(BLOCK_HEADER_BYTES);
    const events = splitRecords(records);
    const said = { first: header.firstId, count: header.count, bytes: header.bytes };
    const is = { first: events[0]?.id, count: BigInt(events.length), bytes: BigInt(records.length) };
    const whole = said.first === is.first && said.count === is.count && said.bytes === is.bytes && first === next;
    const known =
      header.floor < first && header.pair.id <= header.floor && digests.get(header.pair.id) === header.pair.digest.toString("hex");
    const same = encodeBlockHeader(header).equals(value.subarray(0, BLOCK_HEADER_BYTES));
    if (!whole || !known || !same || (records.length > 1 << 20 && events.length > 1)) {
      problems.push(`the block of event ${first}`);
    }
    for (let at = 0; at < records.length; ) {
      const record = records.subarray(at, at + 24 + Math.ceil(Number(records.readBigUInt64LE(at)) / 8) * 8);
      const pair = await chain.advance([record]);
      digests.set(pair.id, pair.digest.toString("hex"));
      at += record.length;
    }
    next = first + header.count;
  }
  return { wrong: problems[0] ?? null, records: Buffer.concat(blocks.map(({ value }) => value.subarray(BLOCK_HEADER_BYTES))) };
}

/** A block with the pair of another one: which pair was known when it was sealed depends on how quick the digest was. */
function withPairOf(value: Buffer, other: Buffer): Buffer {
  const header = encodeBlockHeader({ ...decodeBlockHeader(value), pair: decodeBlockHeader(other).pair });
  return Buffer.concat([header, value.subarray(BLOCK_HEADER_BYTES)]);
}

async function play(
  t: Test,
  lines: readonly string[],
  lanes: boolean,
): Promise<{ answers: string[]; blocks: Block[]; ofJavaScript: number }> {
  const place = await start(testFolder(t), lanes);
  const client = new LaneClient(program, place.sidecar.socketPath);
  const answers: string[] = [];
  for (const line of lines) {
    answers.push(await client.say(line));
  }
  await client.end();
  const blocks = await blocksOf(place.kv);
  const ofJavaScript = place.blocksOfJavaScript();
  await place.end();
  return { answers, blocks, ofJavaScript };
}

t.test("one event at a time: every block is the same, byte for byte", async (t) => {
  const sizes = fc.array(fc.record({ count: fc.integer({ min: 1, max: 8 }), bytes: fc.integer({ min: 0, max: 70_000 }) }), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(sizes, async (parts) => {
      const lines = ["s 3 10", ...parts.map(({ count, bytes }) => `s ${count} ${bytes}`), "d"];
      const without = await play(t, lines, false);
      const lane = await play(t, lines, true);
      t.strictSame(lane.answers, without.answers);
      const likewise = lane.blocks.map(({ value }, index) => withPairOf(value, without.blocks[index]?.value ?? value).toString("hex"));
      t.strictSame(
        likewise,
        without.blocks.map(({ value }) => value.toString("hex")),
      );
      t.equal((await judge(lane.blocks)).wrong, null);
      t.equal(without.ofJavaScript, without.blocks.length);
      t.ok(lane.ofJavaScript <= 2, `${lane.ofJavaScript} of ${lane.blocks.length} blocks came through JavaScript`);
    }),
    { numRuns: Math.ceil(RUNS / 3) },
  );
});

t.test("whatever a client does, the log is the same", async (t) => {
  const line = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(fc.constantFrom("s", "a", "f", "f"), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 3000 })),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom("a", "f"), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 1_500_000 })) },
    { weight: 1, arbitrary: fc.tuple(fc.constant("b"), fc.integer({ min: 1, max: 10 }), fc.integer({ min: 0, max: 2000 })) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom("m", "p", "r", "d"), fc.constant(0), fc.constant(0)) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 25 }), async (script) => {
      const lines = ["s 2 10", ...script.map((words) => words.join(" ")), "r", "d"];
      const without = await play(t, lines, false);
      const lane = await play(t, lines, true);
      const digests = (answers: readonly string[]): string[] => answers.filter((answer) => answer.startsWith("digest"));
      t.strictSame(digests(lane.answers), digests(without.answers));
      t.strictSame(
        lane.answers.filter((answer) => !/^(ok|digest)/.test(answer)),
        [],
        "nothing went wrong",
      );
      const judged = await judge(lane.blocks);
      t.equal(judged.wrong, null);
      t.ok(judged.records.equals((await judge(without.blocks)).records), "the same records");
    }),
    { numRuns: RUNS },
  );
});

t.test("a second writer's claim fences the lane", async (t) => {
  const place = await start(testFolder(t), true);
  const client = new LaneClient(program, place.sidecar.socketPath);
  t.match(await client.say("s 20 100"), /^ok 20$/);
  // As another process would in a store that it shared: no session of this one hears of it.
  const key = keys.epoch(NAME.ship);
  const record = JSON.parse((await place.kv.get(key))?.toString() ?? "") as Record<string, unknown>;
  const value = [Buffer.from(JSON.stringify({ ...record, epoch: Number(record.epoch) + 1, session: "another one" }))];
  await place.kv.commit([{ checks: [], writes: [{ kind: "put", key, value }] }]);
  t.equal(await client.say("s 1 100"), "error fenced");
  await client.end();
  t.match(place.sidecar.logged, [...place.sidecar.logged.slice(0, -1), { fields: { code: "fenced" }, text: /another one/ }]);
  t.equal((await blocksOf(place.kv)).length, 20, "nothing was written behind the fence");
  t.ok(place.blocksOfJavaScript() <= 2);
  await place.end();
});

t.test("pauses as long as the sidecar looks for the next event: nobody sleeps while there is something to do", async (t) => {
  const place = await start(testFolder(t), true);
  const clients = ["~zod", "~nec"].map((ship) => new LaneClient(program, place.sidecar.socketPath, ship));
  for (const ship of [0, 1]) {
    const alone = clients[ship];
    t.equal(await alone?.say(`j ${PAUSES} 100`), `ok ${PAUSES}`);
  }
  const together = await Promise.all(clients.map((client) => client.say(`j ${PAUSES} 100`)));
  t.strictSame(together, [`ok ${2 * PAUSES}`, `ok ${2 * PAUSES}`]);
  await Promise.all(clients.map((client) => client.end()));
  await place.end();
});

t.test("a ship that is fenced by hand with commits in flight, and claimed at once by another client", async (t) => {
  const place = await start(testFolder(t), true);
  const admin = await Client.connect(place.sidecar.socketPath, null);
  await admin.open({ role: "admin" });
  const first = new LaneClient(program, place.sidecar.socketPath);
  t.equal(await first.say("s 5 100"), "ok 5");
  const flood = first.say("a 200000 300");
  await sleep(20);
  await admin.admin({ verb: "fence", ship: SHIP, kind: "fake" });
  const second = new LaneClient(program, place.sidecar.socketPath);
  const began = BigInt((await second.say("s 1 9")).split(" ")[1] ?? "0");
  t.equal(await flood, "error fenced");
  t.match(await second.say("s 20 9"), /^ok/);
  t.match(await second.say("r"), /^ok/);
  await second.end();
  await first.end();
  await admin.close();
  const blocks = await blocksOf(place.kv);
  t.equal((await judge(blocks)).wrong, null);
  const epochs = blocks.map(({ first: id, value }) => ({ id, epoch: decodeBlockHeader(value).epoch }));
  t.strictSame(
    epochs.filter(({ id, epoch }) => epoch > 1n !== id >= began),
    [],
    "each writer's events are its own",
  );
  await place.end();
});

t.test("a client that is killed with commits in flight, and comes again", async (t) => {
  const place = await start(testFolder(t), true);
  for (let round = 1; round <= 8; round++) {
    const client = new LaneClient(program, place.sidecar.socketPath);
    t.match(await client.say(`s 5 ${round * 50}`), /^ok/);
    void client.say(`f 20000 ${round * 50}`);
    await sleep(round * 3);
    await client.end("SIGKILL");
  }
  const last = new LaneClient(program, place.sidecar.socketPath);
  t.match(await last.say("r"), /^ok/);
  await last.end();
  t.equal((await judge(await blocksOf(place.kv))).wrong, null);
  await place.end();
});

t.test("a sidecar that stops with commits in flight", async (t) => {
  const folder = testFolder(t);
  let acknowledged = 0n;
  for (let round = 0; round < 4; round++) {
    const place = await start(folder, true);
    const client = new LaneClient(program, place.sidecar.socketPath);
    const answer = await client.say("s 5 100");
    acknowledged = BigInt(answer.split(" ")[1] ?? "0");
    void client.say("f 30000 500");
    await sleep(5 + round * 10);
    await place.end();
    await client.end("SIGKILL");
  }
  const place = await start(folder, true);
  const blocks = await blocksOf(place.kv);
  const { wrong, records } = await judge(blocks);
  t.equal(wrong, null);
  t.ok(BigInt(splitRecords(records).length) >= acknowledged && acknowledged > 0n);
  await place.end();
});

t.test("live readers hear of what a lane brings, and everybody sees what was acknowledged", async (t) => {
  const place = await start(testFolder(t), true);
  const writer = new LaneClient(program, place.sidecar.socketPath);
  for (let round = 1; round <= 30; round++) {
    t.equal(await writer.say("s 3 10"), `ok ${3 * round}`);
    const reader = await Client.connect(place.sidecar.socketPath, SHIP);
    t.equal((await reader.open({ role: "read", kind: "fake" })).height, BigInt(3 * round));
    await reader.close();
  }
  await writer.end();
  await place.end();
});
