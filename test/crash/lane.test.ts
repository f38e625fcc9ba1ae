// Lanes on a disk that loses what was not flushed, fails, or is full: what was acknowledged over the ring is there.
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { type Serving, seguroJson, serve } from "../cli/command.ts";
import { compileLane, LaneClient } from "../transport/lane-client.ts";
import { buildFlushLayer, type FlushLayer, type FlushRun, loss, type Settings } from "./flush-layer.ts";
import { Random } from "./random.ts";

const first = Number(process.env.SEGURO_SEED ?? process.pid);
const TRIALS = Number(process.env.SEGURO_TEST_LANE_CRASHES ?? 3);
const EIO = 5;
const EVENTS = 3000;
const CRASHES = 3;
const CRASH_MS = 3000;
const MEGABYTE = 1_000_000;
/** What two segments take that are made ahead, and a little. */
const ROOM = 140 * MEGABYTE;

class Place {
  readonly dir = mkdtempSync(path.join(os.tmpdir(), "seguro-"));
  readonly root = path.join(this.dir, "disk");

  constructor(t: Test) {
    mkdirSync(this.root);
    t.teardown(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  get socket(): string {
    return path.join(this.dir, "s");
  }

  run(layer: FlushLayer, settings: Settings = {}): FlushRun {
    return layer.run(this.root, path.join(this.dir, "control"), settings);
  }

  serve(run?: FlushRun): Promise<Serving> {
    const args = ["--socket", this.socket, "--store", `journal:${path.join(this.root, "store")}`, "--log-level", "silent"];
    return serve(args, run === undefined ? {} : { env: run.env });
  }
}

/** One client that goes on through the crashes of its sidecar: libseguro itself refuses a log that lacks what was acknowledged to it. */
async function crashes(t: Test, layer: FlushLayer, lane: string, seed: number): Promise<void> {
  const place = new Place(t);
  const random = new Random(seed);
  let serving = await place.serve();
  const client = new LaneClient(lane, place.socket);
  t.equal(await client.say("s 5 300"), "ok 5");
  await serving.end("SIGKILL");
  const appended = client.say(`s ${EVENTS} 300`);
  for (let crash = 0; crash < CRASHES; crash++) {
    const settings = { crashAt: random.between(10, EVENTS / 2), seed: random.between(1, 2 ** 31), loss: random.between(0, loss.sectors) };
    const run = place.run(layer, settings);
    const dying = await place.serve(run).catch(() => null);
    if (dying !== null) {
      await Promise.race([once(dying.process, "exit"), sleep(CRASH_MS)]);
      await dying.end("SIGKILL");
    }
    run.close();
  }
  serving = await place.serve();
  t.equal(await appended, `ok ${EVENTS + 5}`, `seed ${seed}: nothing acknowledged was lost`);
  t.equal(await client.say("r"), `ok ${EVENTS + 5}`);
  await client.end();
  t.equal((await seguroJson(["verify", "~zod", "--socket", place.socket])).code, 0, "verified");
  await serving.end("SIGTERM");
}

/** A lane that has acknowledged so many events, on a disk that is about to fail. */
async function begin(place: Place, lane: string, run: FlushRun, t: Test): Promise<{ serving: Serving; client: LaneClient }> {
  const serving = await place.serve(run);
  const client = new LaneClient(lane, place.socket);
  t.equal(await client.say("s 50 500"), "ok 50");
  return { serving, client };
}

const folder = t.testdir();
const layer = buildFlushLayer(folder);
if (typeof layer === "string") {
  t.plan(0, layer);
} else {
  const lane = compileLane(folder);

  t.test("crashes that lose what was not flushed", async (t) => {
    for (let seed = first; seed < first + TRIALS; seed++) {
      await crashes(t, layer, lane, seed);
    }
  });

  t.test("a disk that fails: nothing more is acknowledged, and everything that was is there afterwards", async (t) => {
    const place = new Place(t);
    const run = place.run(layer);
    const { serving, client } = await begin(place, lane, run, t);
    run.set("syncWriteErrno", EIO);
    run.set("writeErrno", EIO);
    const answer = await Promise.race([client.say("s 1 500"), sleep(3000, "no answer")]);
    t.match(answer, /^(error|no answer)/, "not acknowledged");
    await client.end("SIGKILL");
    await serving.end("SIGKILL");
    run.close();
    const again = await place.serve();
    const reader = new LaneClient(lane, place.socket);
    t.match(await reader.say("r"), /^ok 5[01]$/);
    await reader.end();
    t.equal((await again.end("SIGTERM")).code, 0);
  });

  t.test("a full disk: the client waits, and goes on when there is room", async (t) => {
    const place = new Place(t);
    const run = place.run(layer, { room: ROOM });
    const { serving, client } = await begin(place, lane, run, t);
    const answer = client.say(`a 300 ${MEGABYTE}`);
    t.equal(await Promise.race([answer, sleep(6000, "waiting")]), "waiting");
    t.ok(existsSync(place.socket) && serving.process.exitCode === null, "the sidecar goes on");
    run.makeRoom();
    t.equal(await answer, "ok 350");
    t.equal(await client.say("r"), "ok 350");
    await client.end();
    t.equal((await seguroJson(["verify", "~zod", "--socket", place.socket])).code, 0, "verified");
    t.equal((await serving.end("SIGTERM")).code, 0);
    run.close();
  });
}
