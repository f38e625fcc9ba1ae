// A live pier: another process holds its log open through LMDB and appends while it is read; every answer is one consistent state.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import t from "tap";
import { PierError } from "../../src/pier/errors.ts";
import { PierReader } from "../../src/pier/read.ts";
import { buildPier, parseRecords, payloads } from "./helpers.ts";

const liblmdb = path.resolve(import.meta.dirname, "../../node_modules/lmdb/dependencies/lmdb-data-v1/libraries/liblmdb");
const program = path.join(t.testdir(), "live_writer");
const sources = [path.join(import.meta.dirname, "live_writer.c"), ...["mdb.c", "midl.c"].map((name) => path.join(liblmdb, name))];
execFileSync("cc", ["-w", "-O1", "-pthread", `-I${liblmdb}`, ...sources, "-o", program]);

const [big = Buffer.alloc(0)] = payloads(1, 3 << 20);

/** live_writer.c has the same rule. */
function payloadOf(id: bigint): Buffer {
  if (id === 1n) {
    return big;
  }
  const number = Number(id);
  return Buffer.from(Array.from({ length: 5 + ((number * 37) % 6000) }, (_, i) => 1 + ((number * 13 + i * 7) % 255)));
}

/** Reads from `from` to the end and counts events whose bytes are wrong. */
async function readAndCheck(reader: PierReader, maxBytes: number, from: bigint): Promise<{ events: number; wrong: number }> {
  const counts = { events: 0, wrong: 0 };
  let parts: Buffer[] = [];
  for await (const run of reader.runs(maxBytes, from)) {
    parts.push(run.bytes);
    if (run.offsetBytes + run.bytes.length === run.totalBytes) {
      for (const { id, payload } of parseRecords(Buffer.concat(parts))) {
        counts.events++;
        counts.wrong += payload.equals(payloadOf(id)) ? 0 : 1;
      }
      parts = [];
    }
    if (counts.events > 500) {
      break;
    }
  }
  return counts;
}

for (const mode of ["sync", "nosync"]) {
  t.test(`beside a writer that never rests (${mode})`, async (t) => {
    const pier = path.join(t.testdir(), "pier");
    await buildPier(pier, [{ base: 0n, payloads: [big] }]);
    const log = path.join(pier, ".urb/log/0i0");
    const writer = spawn(program, [log, mode], { stdio: ["pipe", "pipe", "inherit"] });
    t.teardown(() => writer.kill("SIGKILL"));
    const ended = once(writer, "exit");
    await once(writer.stdout, "data");
    const reader = PierReader.open(log);
    t.teardown(() => reader.close());
    const until = performance.now() + 2000;
    let last = 0n;
    let rounds = 0;
    const total = { events: 0, wrong: 0 };
    const round = async (): Promise<void> => {
      const span = await reader.span();
      if (span.lastId < last || span.firstId !== 1n) {
        t.fail(`the log went back from ${last} to ${span.lastId}`);
      }
      last = span.lastId;
      // The big event in pieces and whole, then the newest.
      const from = rounds % 3 === 0 || last < 200n ? 1n : last - 200n;
      const { events, wrong } = await readAndCheck(reader, rounds % 2 === 0 ? 300_000 : 8 << 20, from);
      total.events += events;
      total.wrong += wrong;
    };
    let busy = 0;
    // For some time, and on a slow machine until it has seen enough.
    for (; performance.now() < until || rounds - busy < 3 || last <= 10n; rounds++) {
      await round().catch((error: unknown) => {
        // Without flushes the writer commits far faster than any ship: on a loaded machine the reader may say that it cannot keep up. It
        // must never say so beside a writer that flushes, and never give out a wrong byte beside either.
        if (mode === "sync" || !(error instanceof PierError) || error.code !== "pier-busy") {
          throw error;
        }
        busy++;
      });
    }
    if (mode === "sync") {
      t.ok((await reader.survey()).count >= last, "a survey comes to its end beside the writer");
    }
    writer.stdin.end();
    t.strictSame(await ended, [0, null], "the writer was not disturbed");
    t.comment(`${rounds} rounds, ${busy} of them given up, ${total.events} events read while ${(await reader.span()).lastId} were written`);
    t.equal(total.wrong, 0);
    t.equal((await reader.survey()).count, (await reader.span()).lastId);
  });
}
