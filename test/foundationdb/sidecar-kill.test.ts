// Sidecars on a real cluster, killed in mid-append again and again: what was acknowledged is there, byte for byte, and clients of both kinds come again.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { Client } from "../../src/client/client.ts";
import { seguroJson } from "../cli/command.ts";
import { Random } from "../crash/random.ts";
import { History } from "../simulation/history.ts";
import { Cluster } from "./cluster.ts";
import { effort, judge, Machine, seed } from "./harness.ts";
import { withoutCluster } from "./installed.ts";
import { Runtime } from "./runtime.ts";

const KILLS = 6 * effort;
const demo = path.resolve(import.meta.dirname, "../../build/native/client/seguro-demo");

t.test("sidecars killed on a real cluster", { skip: withoutCluster }, async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.stop());
  t.comment(`seed ${seed}`);

  t.test("kill -9 in a loop during appends of two ships", async (t) => {
    const machine = new Machine(t, cluster, "a", "kill/");
    const history = new History(() => performance.now());
    const random = new Random(seed);
    const ships = ["~zod", "~marzod"];
    const runtimes = ships.map((ship, index) => new Runtime({ history, ship, seed: seed + index, place: () => machine.place() }).start());
    for (let kill = 0; kill < KILLS; kill++) {
      await machine.start();
      await Promise.all(runtimes.map((runtime) => runtime.grows(random.between(1, 300))));
      await sleep(random.between(0, 300));
      await machine.end("SIGKILL");
    }
    await machine.start();
    await Promise.all(runtimes.map((runtime) => runtime.grows(100)));
    await Promise.all(runtimes.map((runtime) => runtime.stop()));
    t.ok(
      runtimes.every(({ sessions }) => sessions > KILLS),
      "each came again after each kill",
    );
    await judge(t, history, machine, ships);
    t.equal((await machine.end("SIGTERM")).code, 0, "an end in order");
  });

  const noDemo = existsSync(demo) ? false : "seguro-demo is not built (CMake builds it beside the addon)";
  t.test("the C client goes on through kills of the sidecar, nothing lost or doubled", { skip: noDemo }, async (t) => {
    const machine = new Machine(t, cluster, "c", "demo/");
    await machine.start();
    const appending = spawn(demo, [machine.socket, "~zod", "append", "3000", "2000"], { stdio: ["ignore", "pipe", "pipe"] });
    const ended = once(appending, "exit");
    for (let target = 300n; target < 2000n && appending.exitCode === null; target += 700n) {
      await heightOf(machine.socket, target, () => appending.exitCode !== null);
      await machine.end("SIGKILL");
      await machine.start();
    }
    t.strictSame((await ended)[0], 0, "the client ends well");
    const { json } = await seguroJson(["verify", "~zod", "--socket", machine.socket]);
    t.match(json, { events: /^3000$/, id: /^3000$/, damage: [] }, "exactly the events appended");
    t.equal((await machine.end("SIGTERM")).code, 0);
  });
});

/** Waits until the ship's log has reached a height, or until `over`. */
async function heightOf(socket: string, target: bigint, over: () => boolean): Promise<void> {
  for (let height = 0n; height < target && !over(); ) {
    const client = await Client.connect(socket, "~zod");
    height = client.welcomeId ?? 0n;
    await client.close();
    await sleep(5);
  }
}
