// Random frames, records and bytes: whatever a client sends, at most its own session ends; memory stays bounded and the others go on.
import fc from "fast-check";
import t from "tap";
import type { Client } from "../../src/client/client.ts";
import { Frame } from "../../src/wire/constants.ts";
import { connect, someRecords, startSidecar } from "./helpers.ts";
import { RawClient, rawFrame, rawOpen, u64 } from "./raw.ts";

const seed = Number(process.env.SEGURO_SEED ?? process.pid);
const timeBoundMs = 10_000;

const edges = [0n, 1n, 2n, 7n, 8n, 100n, 101n, 1n << 31n, (1n << 32n) - 1n, 1n << 32n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n];
const number = fc.oneof(fc.constantFrom(...edges), fc.bigInt(0n, (1n << 64n) - 1n));
const bytes = (maxLength: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const numbers = fc.array(number, { maxLength: 6 }).map((values) => u64(...values));
const records = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }), fc.nat(3), fc.nat(400), fc.nat(7))
  .map(([from, count, salt, at, xor]) => {
    const some = someRecords(BigInt(from), count, 20, salt);
    some.writeUInt8(some.readUInt8(at % some.length) ^ (xor === 7 ? 1 : 0), at % some.length);
    return some;
  });
const json = fc
  .oneof(
    fc.json(),
    fc.constantFrom('{"verb":"list"}', '{"verb":"status"}', '{"verb":"verify","ship":"~zod"}', '{"verb":"retire","ship":"~nec"}'),
  )
  .map((text) => Buffer.from(text));
const good = fc
  .tuple(fc.constantFrom(...Object.values(Frame)), fc.oneof(numbers, bytes(80), records, json), fc.nat(3))
  .map(([type, body, request]) => rawFrame(type, body, { request }));
const append = records.map((some) => rawFrame(Frame.APPEND, some));
const read = fc.tuple(number, number, number, fc.nat(1)).map(([from, limit, credit, flags]) => {
  return rawFrame(Frame.READ, u64(from, limit, credit, BigInt(flags)), { request: flags });
});
const lying = fc
  .tuple(fc.nat(255), bytes(64), fc.nat(2), fc.nat(1), fc.nat(1), fc.option(fc.nat()))
  .map(([type, body, flags, reserved, checksum, bodyBytes]) =>
    rawFrame(type, body, { flags, reserved, checksum, ...(bodyBytes === null ? {} : { bodyBytes }) }),
  );
const frame = fc.oneof({ arbitrary: good, weight: 4 }, { arbitrary: append, weight: 4 }, { arbitrary: read, weight: 2 }, lying, bytes(100));
const session = fc.record({
  ship: fc.constantFrom("~zod", "~nec", "-"),
  role: fc.integer({ min: 0, max: 4 }),
  kind: fc.integer({ min: 0, max: 2 }),
  frames: fc.array(frame, { maxLength: 12 }),
  cuts: fc.array(fc.nat(3000), { maxLength: 3 }),
});

/** Sends a stream in pieces, says goodbye, and waits until the server has closed too. */
async function play(path: string, script: { ship: string; stream: Buffer; cuts: readonly number[] }): Promise<void> {
  const client = new RawClient(path, script.ship);
  let at = 0;
  for (const cut of [...script.cuts, script.stream.length].sort((a, b) => a - b)) {
    const to = Math.min(cut, script.stream.length);
    await new Promise<void>((resolve) => client.socket.write(script.stream.subarray(at, to), () => resolve()));
    at = to;
  }
  client.socket.end();
  let got = await client.next();
  while (got !== null) {
    got = await client.next();
  }
  client.close();
}

t.test("random sessions beside a good one", async (t) => {
  const sidecar = await startSidecar();
  t.teardown(() => sidecar.stop());
  const good: Client = await connect(sidecar, "~marzod");
  await good.open({ role: "write" });
  let height = 0n;
  let runs = 0;
  const before = process.memoryUsage().rss;
  t.comment(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(session, async ({ ship, role, kind, frames, cuts }) => {
      runs++;
      await play(sidecar.socketPath, { ship, stream: Buffer.concat([rawOpen(role, kind), ...frames]), cuts });
      height++;
      await good.append(someRecords(height, 1));
      await good.acknowledged(height);
      const faults = sidecar.logged.filter(({ level }) => level === "error");
      if (faults.length > 0) {
        throw new Error(`the sidecar's own fault: ${JSON.stringify(faults[0])}`);
      }
      sidecar.logged.length = 0;
    }),
    { seed, numRuns: 100_000, interruptAfterTimeLimit: timeBoundMs, markInterruptAsFailure: false },
  );
  t.ok(runs > 50, `${runs} sessions`);
  const grown = (process.memoryUsage().rss - before) >> 20;
  t.ok(grown < 300, `memory grew by ${grown} MiB`);
  await good.close();
  const admin = await connect(sidecar, null);
  await admin.open({ role: "admin" });
  const { ships } = (await admin.admin({ verb: "list" })) as unknown as { ships: { ship: string; kind: string }[] };
  for (const { ship, kind } of ships) {
    const report = await admin.admin({ verb: "verify", ship, kind }).catch((error: Error) => ({ damage: error.message }));
    t.ok(
      Array.isArray(report.damage) ? report.damage.length === 0 : /retired/.test(String(report.damage)),
      `${ship} (${kind}) is whole: ${JSON.stringify(report.damage)}`,
    );
  }
  await admin.close();
});
