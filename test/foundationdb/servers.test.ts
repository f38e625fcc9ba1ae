// A real cluster of three processes that are killed and stopped under load, all of it away for a while, moved, locked: sessions stall, say so, and go on.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { seguroJson } from "../cli/command.ts";
import { History } from "../simulation/history.ts";
import { Cluster } from "./cluster.ts";
import { effort, judge, Machine, seed } from "./harness.ts";
import { withoutCluster } from "./installed.ts";
import { Runtime } from "./runtime.ts";

const SERVERS = [0, 1, 2] as const;
const STOPPED_MS = 4000;
const AWAY_MS = 12_000 * effort;
/** Longer than what had been answered by the cluster may take to reach the client. */
const SETTLING_MS = 1500;
const SHIPS = ["~zod", "~marzod"];
/** docs/foundationdb.md, "Memory of a sidecar": empty, the freed memory that it keeps, and what sessions over a stream may take. */
const MEMORY_MIB_MAX = 86 + 64 + SHIPS.length * 103;

interface Load {
  readonly cluster: Cluster;
  readonly machine: Machine;
  readonly runtimes: readonly Runtime[];
}

/** So many more events of every ship. */
async function goesOn({ runtimes }: Load, events = 100, seconds = 90): Promise<void> {
  await Promise.all(runtimes.map((runtime) => runtime.grows(events, seconds)));
}

function heights({ runtimes }: Load): bigint[] {
  return runtimes.map(({ height }) => height);
}

async function storeStatus({ machine }: Load): Promise<Record<string, unknown>> {
  const { json } = await seguroJson(["status", "--socket", machine.socket]);
  return json.store as Record<string, unknown>;
}

/** Waits until no event is acknowledged any more, then for `ms`; says whether it stayed so. */
async function standsStill(load: Load, ms: number): Promise<boolean> {
  await sleep(SETTLING_MS);
  const before = heights(load);
  await sleep(ms);
  return heights(load).every((height, index) => height === before[index]);
}

async function killedInTurn(t: Test, load: Load): Promise<void> {
  for (const server of SERVERS) {
    await load.cluster.kill(server);
    await goesOn(load);
    load.cluster.restart(server);
    t.pass(`goes on without server ${server}`);
    await load.cluster.available();
    await goesOn(load);
  }
}

async function stoppedInTurn(t: Test, load: Load): Promise<void> {
  for (const server of SERVERS) {
    await load.cluster.kill(server, "SIGSTOP");
    await sleep(STOPPED_MS);
    await load.cluster.kill(server, "SIGCONT");
    await goesOn(load);
    t.pass(`goes on after server ${server} stood still`);
  }
}

async function allAway(t: Test, load: Load): Promise<void> {
  await Promise.all(SERVERS.map((server) => load.cluster.kill(server)));
  t.ok(await standsStill(load, AWAY_MS), "nothing is acknowledged while there is no cluster");
  const late = new Machine(t, load.cluster, "late", "servers/");
  const starting = late.start();
  const { oldestCallSeconds } = await storeStatus(load);
  t.ok(Number(oldestCallSeconds) * 1000 >= AWAY_MS, "status answers meanwhile, and says for how long nothing came");
  const memory = load.machine.residentBytes();
  t.comment(`the sidecar has ${Math.round(memory / 2 ** 20)} MiB`);
  t.ok(memory < MEMORY_MIB_MAX * 2 ** 20, `memory stays below ${MEMORY_MIB_MAX} MiB`);
  for (const server of SERVERS) {
    load.cluster.restart(server);
  }
  await goesOn(load, 200, 120);
  t.pass("goes on by itself");
  await starting;
  t.match((await late.end("SIGTERM")).stderr, /the store does not answer/, "a sidecar that is started meanwhile waits, and says so");
}

async function coordinatorsMoved(t: Test, load: Load): Promise<void> {
  const { cluster, machine } = load;
  const all = SERVERS.map((server) => cluster.address(server)).join(" ");
  for (const addresses of [cluster.address(1), all]) {
    const { text } = await cluster.fdbcli(`coordinators ${addresses}`, { seconds: 40 });
    t.match(text, /Coordination state changed/);
    await goesOn(load);
    const wanted = addresses.split(" ");
    for (let waited = 0; waited < 20 && !wanted.every((one) => readFileSync(machine.clusterFile, "utf8").includes(one)); waited++) {
      await sleep(500);
    }
    const file = readFileSync(machine.clusterFile, "utf8");
    t.ok(
      SERVERS.every((server) => file.includes(cluster.address(server)) === wanted.includes(cluster.address(server))),
      "the sidecar's own cluster file follows",
    );
  }
}

async function locked(t: Test, load: Load): Promise<void> {
  const { text } = await load.cluster.fdbcli("lock", { seconds: 30 });
  const uid = /[0-9a-f]{32}/.exec(text)?.[0] ?? "";
  t.match(uid, /^[0-9a-f]{32}$/, `fdbcli says: ${text}`);
  t.ok(await standsStill(load, 3000), "nothing is acknowledged while the database is locked");
  t.match(await storeStatus(load), { waitingFor: /1038/ }, "status says why");
  t.match((await load.cluster.fdbcli(`unlock ${uid}`, { seconds: 30 })).text, /Database unlocked/);
  await goesOn(load);
}

t.test("a cluster of three under load", { skip: withoutCluster, timeout: 280_000 * effort }, async (t) => {
  const cluster = await Cluster.start({ processes: 3 });
  t.teardown(() => cluster.stop());
  t.comment(`seed ${seed}`);
  const machine = new Machine(t, cluster, "a", "servers/");
  await machine.start();
  const history = new History(() => performance.now());
  const runtimes = SHIPS.map((ship, index) =>
    new Runtime({ history, ship, seed: seed + index, place: () => machine.place(), hugeEvery: 1000, ahead: 400, pauseMs: 10 }).start(),
  );
  t.teardown(() => Promise.all(runtimes.map((runtime) => runtime.abandon())));
  const load = { cluster, machine, runtimes };
  await goesOn(load);
  await t.test("servers killed in turn", (t) => killedInTurn(t, load));
  await t.test("servers stopped in turn", (t) => stoppedInTurn(t, load));
  await t.test("all servers away for a while", (t) => allAway(t, load));
  await t.test("coordinators moved", (t) => coordinatorsMoved(t, load));
  await t.test("the database locked", (t) => locked(t, load));
  t.comment(JSON.stringify(await storeStatus(load)));
  await Promise.all(runtimes.map((runtime) => runtime.stop()));
  t.same(
    runtimes.map(({ sessions }) => sessions),
    SHIPS.map(() => 1),
    "no session ended in all that",
  );
  await judge(t, history, machine, SHIPS);
  const { code, stderr } = await machine.end("SIGTERM");
  t.equal(code, 0);
  t.match(stderr, /the store does not answer/, "the log says that the cluster was away");
});
