// The sidecar killed and stopped in mid-append, as a process: acknowledged means present, contiguous, equal; clients of both kinds come again.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import t, { type Test } from "tap";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { makeShip } from "../../src/ship.ts";
import { afterPrefix, keys } from "../../src/store/layout.ts";
import { openLmdb } from "../../src/store/lmdb.ts";
import { type Serving, seguroJson, serve } from "../cli/command.ts";
import { History } from "./history.ts";
import { Random } from "./random.ts";

const seed = Number(process.env.SEGURO_SEED ?? process.pid);
const kills = 5;
const demo = path.resolve(import.meta.dirname, "../../build/native/client/seguro-demo");

/** A folder whose path is short enough for a socket's. */
function shortFolder(t: Test): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), "seguro-"));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function start(dir: string): Promise<Serving> {
  return serve(["--socket", path.join(dir, "s"), "--store", `lmdb:${path.join(dir, "store")}`, "--log-level", "error"]);
}

async function verified(t: Test, socket: string, ship: string): Promise<void> {
  const { code, json } = await seguroJson(["verify", ship, "--socket", socket]);
  t.strictSame([code, json.damage], [0, []], "verified");
}

t.test("kill -9 in a loop during appends", async (t) => {
  const dir = shortFolder(t);
  const random = new Random(seed);
  const histories = ["~zod", "~marzod"].map((ship) => new History({ ship, seed }));
  t.comment(`seed ${seed}`);
  for (let kill = 0; kill < kills; kill++) {
    const serving = await start(dir);
    const target = (histories[0]?.acknowledged ?? 0n) + BigInt(random.between(1, 150));
    const appends = histories.map((history) =>
      history.append(serving.socket, (acknowledged) => {
        if (history === histories[0] && acknowledged >= target) {
          serving.process.kill("SIGKILL");
        }
        return false;
      }),
    );
    await Promise.all(appends);
    await serving.end("SIGKILL");
  }
  const serving = await start(dir);
  for (const history of histories) {
    t.equal(await history.check(serving.socket), null, `${history.ship}: ${history.acknowledged} acknowledged of ${history.sent}`);
    await verified(t, serving.socket, history.ship);
  }
  t.equal((await serving.end("SIGTERM")).code, 0);
});

t.test("SIGTERM in mid-append: a clean end, nothing acknowledged is lost, and the next one goes on", async (t) => {
  const dir = shortFolder(t);
  const history = new History({ ship: "~zod", seed });
  for (let stop = 0; stop < 2; stop++) {
    const serving = await start(dir);
    const target = history.acknowledged + 200n;
    let asked = false;
    const error = await history.append(serving.socket, (acknowledged) => {
      if (!asked && acknowledged >= target) {
        asked = true;
        serving.process.kill("SIGTERM");
      }
      return false;
    });
    t.match(error, { code: /^(stopping|connection-lost)$/ });
    if (serving.process.exitCode === null) {
      await once(serving.process, "exit");
    }
    t.equal(serving.process.exitCode, 0, "a clean exit");
    t.notOk(existsSync(serving.socket), "the socket file is gone");
  }
  const serving = await start(dir);
  t.equal(await history.check(serving.socket), null);
  await serving.end("SIGTERM");
});

t.test("a client that dies in mid-batch leaves nothing of it", async (t) => {
  const dir = shortFolder(t);
  const serving = await start(dir);
  const client = await Client.connect(serving.socket, "~zod");
  await client.open({ role: "write" });
  await client.append(encodeRecords(1n, [Buffer.from("x")]));
  await client.acknowledged(1n);
  const staged = encodeRecords(
    2n,
    Array.from({ length: 30 }, () => Buffer.alloc(1 << 20, 5)),
  );
  await client.appendAtomic({ firstId: 2n, count: 30n, bytes: BigInt(staged.length) }, [staged.subarray(0, 20 << 20)]);
  await client.ping();
  await client.close();
  const again = await Client.connect(serving.socket, "~zod");
  t.equal((await again.open({ role: "write" })).height, 1n, "nothing of it is visible");
  await again.close();
  t.equal((await serving.end("SIGTERM")).code, 0);
  const kv = openLmdb(path.join(dir, "store"), { readOnly: true, startedAt: "" });
  const prefix = keys.pieces({ ship: makeShip(0n, "real"), log: 1 });
  t.equal((await kv.range(prefix, afterPrefix(prefix), { limitRows: 1 })).count, 0, "its pieces are cleared");
  await kv.close();
});

const noDemo = existsSync(demo) ? false : "seguro-demo is not built (CMake builds it beside the addon)";
t.test("the C client goes on through kills of the sidecar, nothing lost or doubled", { skip: noDemo }, async (t) => {
  const dir = shortFolder(t);
  const socket = path.join(dir, "s");
  const events = 3000;
  let serving = await start(dir);
  const appending = spawn(demo, [socket, "~zod", "append", String(events), "2000"], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(appending, "exit");
  const random = new Random(seed);
  for (let kill = 0; kill < 3 && appending.exitCode === null; kill++) {
    const target = BigInt((kill + 1) * random.between(200, 900));
    await heightOf(socket, target, () => appending.exitCode !== null);
    await serving.end("SIGKILL");
    serving = await start(dir);
  }
  t.strictSame((await ended)[0], 0, "the client ends well");
  const { json } = await seguroJson(["verify", "~zod", "--socket", socket]);
  t.match(json, { events: /^3000$/, id: /^3000$/, damage: [] }, "exactly the events appended");
  await serving.end("SIGTERM");
});

/** Waits until the ship's log has reached a height, or until `over`. */
async function heightOf(socket: string, target: bigint, over: () => boolean): Promise<void> {
  for (let height = 0n; height < target && !over(); ) {
    const client = await Client.connect(socket, "~zod");
    height = client.welcomeId ?? 0n;
    await client.close();
  }
}
