// libseguro over the real sidecar: a pipelined writer outlives kill -9 after kill -9, and its own record of what was acknowledged is the log.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { serveIn } from "../cli/command.ts";

const repository = path.resolve(import.meta.dirname, "../..");
const EVENTS = 20_000;
const EVENT_BYTES = 700;
const KILLS = 3;
const KILL_AFTER_MS = 40;
const LOOK_MS = 10;
/** In the demo's output: u64 id, u64 length, payload. */
const RECORD_BYTES = 16 + EVENT_BYTES;

function compileDemo(folder: string): string {
  const native = path.join(repository, "native");
  const client = path.join(native, "client");
  const sources = readdirSync(client).filter((name) => name.endsWith(".c"));
  const output = path.join(folder, "seguro-demo");
  const includes = [client, native, path.join(native, "include")].map((at) => `-I${at}`);
  const files = [...sources.map((name) => path.join(client, name)), path.join(client, "demo/seguro_demo.c")];
  execFileSync("cc", ["-std=gnu11", "-O2", ...includes, ...files, "-o", output]);
  return output;
}

/** Runs the demo client with its stdout in a file; gives its exit code. */
async function runDemo(demo: string, args: readonly string[], stdout: string): Promise<number | null> {
  const file = openSync(stdout, "w");
  const child = spawn(demo, args, { stdio: ["ignore", file, "ignore"] });
  closeSync(file);
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

t.test("a writer outlives a sidecar that is killed again and again", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "seguro-client-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const demo = compileDemo(folder);
  const echoed = path.join(folder, "echoed");
  const replayed = path.join(folder, "replayed");
  let sidecar = await serveIn(folder);
  t.teardown(() => sidecar.end("SIGKILL"));
  const { socket } = sidecar;

  let done = false;
  const appending = runDemo(demo, [socket, "~zod", "--fake", "append", `${EVENTS}`, `${EVENT_BYTES}`, "--echo"], echoed).finally(() => {
    done = true;
  });
  let seen = 0;
  let kills = 0;
  while (!done && kills < KILLS) {
    await sleep(LOOK_MS);
    const size = existsSync(echoed) ? statSync(echoed).size : 0;
    // Only after something new was acknowledged, so that every life of the sidecar is cut in the middle of work.
    if (size > seen && !done) {
      seen = size;
      await sleep(KILL_AFTER_MS);
      await sidecar.end("SIGKILL");
      kills++;
      sidecar = await serveIn(folder);
    }
  }
  t.equal(await appending, 0, "every event was acknowledged");
  t.ok(kills > 0, `the sidecar was killed ${kills} times`);
  t.equal(await runDemo(demo, [socket, "~zod", "--fake", "replay"], replayed), 0, "the log can be replayed");

  const acknowledged = readFileSync(echoed);
  t.equal(acknowledged.length, EVENTS * RECORD_BYTES, "each event was acknowledged once");
  t.ok(acknowledged.equals(readFileSync(replayed)), "the log is what was acknowledged, byte for byte");
});
