// Either side killed at any moment, again and again: what was acknowledged through a ring is there, and nothing else than what was sent.
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { ENGINE, serveIn } from "../cli/command.ts";
import { compileDemo, startDemo, testFolder } from "./native.ts";

/** Of the sidecar, each of which starts Node again; a client is up in a fraction of that, and killed more often. `.ci/run` asks for hundreds. */
const KILLS = Number(process.env.SEGURO_TEST_KILLS ?? 12);
const CLIENT_KILLS = 3 * KILLS;
/** Of one log, which is read back whole, by one file and in memory. */
const KILLS_OF_A_LOG = 20;
const EVENT_BYTES = 700;
const RECORD_BYTES = 16 + EVENT_BYTES;
const ENDLESS = "100000000";
const LOOK_MS = 5;
const KILL_WITHIN_MS = 60;

async function growsBeyond(file: string, bytes: number): Promise<void> {
  while (!existsSync(file) || statSync(file).size <= bytes) {
    await sleep(LOOK_MS);
  }
}

async function killClients(t: Test, demo: string, kills: number): Promise<void> {
  const folder = testFolder(t);
  const sidecar = await serveIn(folder, "--log-level", "warn");
  t.teardown(() => sidecar.end("SIGKILL"));
  const who = [sidecar.socket, "~zod", "--fake", "--transport", "ring"];
  const echoes: Buffer[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const file = path.join(folder, "echoed");
    const writer = startDemo(demo, [...who, "append", ENDLESS, `${EVENT_BYTES}`, "--echo"], file);
    await growsBeyond(file, 0);
    await sleep((kill * 7) % KILL_WITHIN_MS);
    writer.kill();
    const { events } = await writer.ended;
    echoes.push(events.subarray(0, events.length - (events.length % RECORD_BYTES)));
  }
  const { events: log, code } = await startDemo(demo, [...who, "replay"], path.join(folder, "replayed")).ended;
  t.equal(code, 0);
  t.equal(log.length % RECORD_BYTES, 0, "whole events only");
  const misplaced = echoes.filter((echo) => {
    const first = Number(echo.readBigUInt64LE(0)) - 1;
    return !log.subarray(first * RECORD_BYTES, first * RECORD_BYTES + echo.length).equals(echo);
  });
  t.equal(misplaced.length, 0, `what was acknowledged in ${kills} lives is in the log, in its place`);
}

t.test("a client that is killed again and again", async (t) => {
  const demo = compileDemo(testFolder(t));
  for (let left = CLIENT_KILLS; left > 0; left -= KILLS_OF_A_LOG) {
    await t.test(`${left} kills to go`, (t) => killClients(t, demo, Math.min(left, KILLS_OF_A_LOG)));
  }
});

/** The journal too, where lanes acknowledge (docs/lane.md). */
for (const engine of new Set([ENGINE, "journal"])) {
  t.test(`a sidecar that is killed again and again, ${engine}`, (t) => killSidecars(t, engine));
}

async function killSidecars(t: Test, engine: string): Promise<void> {
  const folder = testFolder(t);
  const demo = compileDemo(folder);
  const store = ["--store", `${engine}:${path.join(folder, "store")}`, "--log-level", "warn"];
  let sidecar = await serveIn(folder, ...store);
  t.teardown(() => sidecar.end("SIGKILL"));
  const who = [sidecar.socket, "~zod", "--fake", "--transport", "ring"];
  const file = path.join(folder, "echoed");
  const writer = startDemo(demo, [...who, "append", ENDLESS, `${EVENT_BYTES}`, "--echo"], file);
  let seen = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    await growsBeyond(file, seen);
    await sleep((kill * 7) % KILL_WITHIN_MS);
    await sidecar.end("SIGKILL");
    seen = statSync(file).size;
    sidecar = await serveIn(folder, ...store);
  }
  await growsBeyond(file, seen);
  writer.kill();
  const { events } = await writer.ended;
  const echoed = events.subarray(0, events.length - (events.length % RECORD_BYTES));
  const { events: log } = await startDemo(demo, [...who, "replay"], path.join(folder, "replayed")).ended;
  t.ok(log.length >= echoed.length && log.subarray(0, echoed.length).equals(echoed), "one client, one history, every acknowledgement kept");
}
