// `npm run demo`: the main job from end to end on a log that Vere's own code wrote. A sidecar on an LMDB store in a temporary folder takes the
// pier in, a C program linked with libseguro appends to it and replays it, and a new pier is restored. Then every event's SHA-256 must
// equal the manifest's (or what the C program says it sent). Exit code 0 only if all of them do.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ECHO, EventHasher, RECORD } from "./event-hasher.mjs";
import { DemoError, findClient, runClient, seguro, serve } from "./processes.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const fixtures = path.join(root, "test/fixtures");
const SHIP = "~sampel-palnet";
/** What the C program appends: many small events, and a few that are larger than a frame. */
const APPENDS = [
  { events: 1000, bytes: 500 },
  { events: 4, bytes: 3_000_000 },
];
const RUN_BYTES = 1 << 20;

/** What the closing table shows, a row a step. */
const rows = [];
/** What must be undone however the demo ends. */
const cleanups = [];

function say(text) {
  process.stdout.write(`${text}\n`);
}

function manifestOf(file) {
  const events = new Map();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (line !== "" && !line.startsWith("#")) {
      const [id, lengthBytes, , sha256] = line.split("\t");
      events.set(BigInt(id), { lengthBytes: Number(lengthBytes), sha256 });
    }
  }
  return events;
}

/** Runs one step and notes its events, bytes and time for the closing table. `work` resolves to `{ events, bytes }`. */
async function step(title, work) {
  const begun = performance.now();
  const { events, bytes } = await work();
  const seconds = (performance.now() - begun) / 1000;
  rows.push({ title, events, bytes, seconds });
  say(`  ${title}: ${events.toLocaleString("en")} events in ${seconds.toFixed(2)} s`);
}

/** Checks a stream of events against what is expected, one by one, in order and without a gap. */
class Check {
  #what;
  #expected;
  #nextId = 1n;
  events = 0;
  bytes = 0;

  constructor(what, expected) {
    this.#what = what;
    this.#expected = expected;
  }

  event(id, lengthBytes, sha256) {
    const expected = this.#expected.get(id);
    if (id !== this.#nextId || expected?.lengthBytes !== lengthBytes || expected.sha256 !== sha256) {
      throw new DemoError(`${this.#what}: event ${id} (expected ${this.#nextId}) is not what it should be`);
    }
    this.#nextId += 1n;
    this.events++;
    this.bytes += lengthBytes;
  }

  end() {
    if (this.events !== this.#expected.size) {
      throw new DemoError(`${this.#what}: ${this.events} events instead of ${this.#expected.size}`);
    }
  }
}

async function append(client, socket, known) {
  let events = 0;
  let bytes = 0;
  for (const { events: count, bytes: each } of APPENDS) {
    const hasher = new EventHasher(ECHO, (id, lengthBytes, sha256) => {
      known.set(id, { lengthBytes, sha256 });
      bytes += lengthBytes;
      events++;
    });
    await runClient(client, [socket, SHIP, "append", String(count), String(each), "--echo"], hasher);
  }
  const expected = APPENDS.reduce((sum, { events: count }) => sum + count, 0);
  if (events !== expected) {
    throw new DemoError(`${events} of ${expected} appended events were acknowledged`);
  }
  return { events, bytes };
}

async function replay(client, socket, known) {
  const check = new Check("replay", known);
  await runClient(client, [socket, SHIP, "replay"], new EventHasher(ECHO, (...event) => check.event(...event)));
  check.end();
  return check;
}

async function verify(socket, known) {
  const { events, bytes, damage } = await seguro("verify", SHIP, "--socket", socket);
  if (damage.length > 0 || Number(events) !== known.size) {
    throw new DemoError(`seguro verify found ${events} events and damage at ${damage.length} places`);
  }
  return { events: Number(events), bytes: Number(bytes) };
}

/** Reads the restored pier's own files, without the sidecar. */
async function compare(pier, known) {
  const { PierReader } = await import("../../dist/pier/read.js");
  const { Output } = await import("../../dist/cli/output.js");
  const log = path.join(pier, ".urb/log");
  const epochs = readdirSync(log).filter((name) => name.startsWith("0i"));
  epochs.sort((a, b) => Number(BigInt(a.slice(2)) - BigInt(b.slice(2))));
  const check = new Check("restored pier", known);
  const progress = new Output({}).progress(`compare ${SHIP}`, known.size, "events");
  try {
    for (const epoch of epochs) {
      const reader = PierReader.open(path.join(log, epoch));
      const hasher = new EventHasher(RECORD, (...event) => check.event(...event));
      for await (const run of reader.runs(RUN_BYTES)) {
        hasher.push(run.bytes);
        progress.update(check.events);
      }
      hasher.end();
      reader.close();
    }
  } finally {
    progress.stop();
  }
  check.end();
  return check;
}

async function showTable() {
  const { count, size, table } = await import("../../dist/cli/format.js");
  const right = true;
  const columns = [
    { title: "step" },
    { title: "events", right },
    { title: "bytes", right },
    { title: "time", right },
    { title: "events/s", right },
  ];
  const cells = rows.map(({ title, events, bytes, seconds }) => {
    const rate = count(Math.round(events / seconds));
    return [title, count(events), size(bytes), `${seconds.toFixed(2)} s`, rate];
  });
  say(`\n${table(columns, cells)}`);
}

async function demo(folder) {
  say(`Seguro's main job, in ${folder}`);
  execFileSync("tar", ["-xzf", path.join(fixtures, "pier-small.tar.gz"), "-C", folder]);
  const known = manifestOf(path.join(fixtures, "pier-small.manifest.tsv"));
  const socket = path.join(folder, "seguro.sock");
  const restored = path.join(folder, "restored");
  const client = findClient(folder, say);
  const sidecar = await serve(socket, `lmdb:${path.join(folder, "store")}`);
  cleanups.push(() => sidecar.kill());
  say(`  sidecar: process ${sidecar.pid}, LMDB store, socket ${socket}`);
  await step("import Vere's log", async () => {
    const { imported, bytes } = await seguro("import", path.join(folder, "pier-small"), "--socket", socket);
    return { events: Number(imported), bytes: Number(bytes) };
  });
  await step("append (C client)", () => append(client, socket, known));
  await step("replay (C client)", () => replay(client, socket, known));
  await step("verify", () => verify(socket, known));
  await step("restore a new pier", async () => {
    const { events, bytes } = await seguro("restore", SHIP, restored, "--socket", socket);
    return { events: Number(events), bytes: Number(bytes) };
  });
  await sidecar.stop();
  await step("compare SHA-256", () => compare(restored, known));
  await showTable();
  const appended = rows.find(({ title }) => title.startsWith("append"))?.events ?? 0;
  say(
    `ok: all ${known.size} events of the restored pier are the ones that Vere wrote (${known.size - appended}) and the C client sent (${appended}).`,
  );
}

function cleanUp() {
  for (const undo of cleanups.splice(0).reverse()) {
    undo();
  }
}

const folder = mkdtempSync(path.join(tmpdir(), "seguro-demo-"));
cleanups.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    cleanUp();
    process.exit(130);
  });
}
try {
  await demo(folder);
} catch (error) {
  console.error(error instanceof DemoError ? `demo failed: ${error.message}` : error);
  process.exitCode = 1;
} finally {
  cleanUp();
}
