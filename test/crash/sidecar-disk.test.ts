// The sidecar as a process on a disk that loses what was not flushed, lies about flushes, or is full; and on bytes that were changed.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import t, { type Test } from "tap";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { type Serving, seguroJson, serve } from "../cli/command.ts";
import { buildFlushLayer, type FlushLayer, type FlushRun, lie, loss, type Settings } from "./flush-layer.ts";
import { History } from "./history.ts";
import { Random } from "./random.ts";

const first = Number(process.env.SEGURO_SEED ?? process.pid);
const timeBoundMs = 15_000;
/** However slow the machine: one trial may well miss what lies break. */
const trialsLeast = 10;
const losses = Object.values(loss);

/** A place for a store and its socket, with a path short enough for the socket. */
class Place {
  readonly dir = mkdtempSync(path.join(os.tmpdir(), "seguro-"));
  readonly root = path.join(this.dir, "disk");

  constructor(t: Test) {
    mkdirSync(this.root);
    t.teardown(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  run(layer: FlushLayer, settings: Settings = {}): FlushRun {
    return layer.run(this.root, path.join(this.dir, "control"), settings);
  }

  serve(run?: FlushRun): Promise<Serving> {
    const args = ["--socket", path.join(this.dir, "s"), "--store", `lmdb:${path.join(this.root, "store")}`, "--log-level", "silent"];
    return serve(args, run === undefined ? {} : { env: run.env });
  }
}

/** Lives of one store, each ended by a crash that loses unflushed writes; where the promise broke, or null. */
async function trial(t: Test, layer: FlushLayer, seed: number, lies: number): Promise<{ broken: string | null; lost: number }> {
  const place = new Place(t);
  const random = new Random(seed);
  const history = new History({ ship: "~zod", seed });
  let lost = 0;
  for (let crash = 0; crash < 3; crash++) {
    const settings = { seed: random.between(1, 2 ** 31), loss: losses[random.between(0, losses.length - 1)] ?? 0, lie: lies };
    const run = place.run(layer, { crashAt: random.between(1, 400), ...settings });
    // It may crash before it is ready.
    const serving = await place.serve(run).catch(() => null);
    if (serving !== null) {
      await history.append(serving.socket);
      await serving.end("SIGKILL");
    }
    lost += run.get("lost");
    run.close();
    if (history.broken.length > 0) {
      break;
    }
  }
  const serving = await place.serve().catch((error: Error) => error.message);
  if (typeof serving === "string") {
    return { broken: serving, lost };
  }
  let broken: string | null;
  try {
    broken = history.sent === 0n ? null : await history.check(serving.socket);
  } catch (error) {
    broken = history.acknowledged === 0n ? null : String(error);
  }
  await serving.end("SIGTERM");
  return { broken, lost };
}

async function full(t: Test, layer: FlushLayer): Promise<void> {
  const place = new Place(t);
  const run = place.run(layer, { room: 3_000_000 });
  const serving = await place.serve(run);
  const history = new History({ ship: "~zod", seed: first });
  const refused = await history.append(serving.socket);
  t.match(refused, { code: "store-full" });
  const kept = history.acknowledged;
  t.ok(kept > 0n, `${kept} events were acknowledged before`);
  const again = await history.append(serving.socket);
  t.match(again, { code: "store-full" }, "still full");
  t.equal(await history.check(serving.socket), null, "what was acknowledged is read meanwhile");
  run.makeRoom();
  t.equal(await history.append(serving.socket, (acknowledged) => acknowledged > kept + 50n), null, "it goes on when there is room");
  t.equal(await history.check(serving.socket), null);
  t.equal((await serving.end("SIGTERM")).code, 0);
  run.close();
}

const layer = buildFlushLayer(t.testdir());
if (typeof layer === "string") {
  t.comment(`no crashes that lose writes: ${layer}`);
} else {
  t.test("what was acknowledged survives crashes that lose everything unflushed", async (t) => {
    const end = performance.now() + timeBoundMs;
    let lost = 0;
    let seed = first;
    for (; performance.now() < end || lost === 0; seed++) {
      const outcome = await trial(t, layer, seed, lie.none);
      lost += outcome.lost;
      if (outcome.broken !== null) {
        t.fail(`seed ${seed}: ${outcome.broken}`);
      }
    }
    t.comment(`seeds ${first} to ${seed - 1}, ${lost} unflushed writes lost`);
    t.ok(lost > 0, "crashes did lose something");
  });

  t.test("with the flush taken out the promise breaks, and this is seen", async (t) => {
    const end = performance.now() + timeBoundMs;
    for (let seed = first; performance.now() < end || seed < first + trialsLeast; seed++) {
      const { broken } = await trial(t, layer, seed, lie.both);
      if (broken !== null) {
        return t.pass(broken.split("\n")[0] ?? "");
      }
    }
    return t.fail("no crash showed that flushes were missing");
  });

  t.test("a full disk refuses, keeps what was acknowledged, and goes on when there is room", (t) => full(t, layer));
}

t.test("bytes changed on disk are reported at their event, and never read", async (t) => {
  const place = new Place(t);
  let serving = await place.serve();
  const client = await Client.connect(serving.socket, "~zod");
  await client.open({ role: "write" });
  for (let id = 1n; id <= 20n; id++) {
    await client.append(encodeRecords(id, [Buffer.alloc(3000, `event ${id};`)]));
    await client.acknowledged(id);
  }
  await client.close();
  await serving.end("SIGTERM");
  const file = path.join(place.root, "store", "data.mdb");
  const bytes = readFileSync(file);
  const at = bytes.indexOf("event 13;event 13;");
  bytes.write("E", at + 200, "latin1");
  writeFileSync(file, bytes);
  const offline = await seguroJson(["verify", "~zod", "--store", `lmdb:${path.join(place.root, "store")}`]);
  t.match([offline.code, offline.json], [5, { damage: [{ id: /^13$/, code: "store-damaged" }] }]);
  serving = await place.serve();
  const { code, json } = await seguroJson(["verify", "~zod", "--socket", serving.socket]);
  t.match([code, json], [5, { events: /^12$/, damage: [{ id: /^13$/, code: "store-damaged" }] }]);
  const reader = await Client.connect(serving.socket, "~zod");
  t.equal((await reader.open({ role: "read" })).height, 20n);
  const got: Buffer[] = [];
  const reading = (async () => {
    for await (const piece of reader.read({ from: 1n })) {
      got.push(Buffer.from(piece));
    }
  })();
  await t.rejects(reading, { code: "store-damaged" });
  t.ok(Buffer.concat(got).length <= 12 * 3024, "nothing from the damaged event on was sent");
  await serving.end("SIGTERM");
});
