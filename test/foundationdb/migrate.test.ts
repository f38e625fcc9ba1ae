// Ships from an embedded store into a real cluster and back: the same logs by digest, killed in the middle, and refused where they no longer are.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import t from "tap";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { seguroJson, serve, spawnSeguro } from "../cli/command.ts";
import { payloads } from "../pier/helpers.ts";
import { Cluster } from "./cluster.ts";
import { withoutCluster } from "./installed.ts";

const HUGE_BYTES = 12 << 20;
const SMALL = 400;

t.test("there and back", { skip: withoutCluster }, async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.stop());
  const folder = mkdtempSync(path.join(tmpdir(), "seguro-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const here = `lmdb:${path.join(folder, "a")}`;
  const there = `foundationdb:${cluster.clusterFile}?prefix=migrate/`;
  const socket = path.join(folder, "s");
  const beside = async (store: string, work: () => Promise<void>): Promise<void> => {
    const state = store === here ? [] : ["--state", path.join(folder, "state")];
    const serving = await serve(["--socket", socket, "--store", store, "--log-level", "silent", ...state]);
    t.teardown(() => serving.process.kill("SIGKILL"));
    await work();
    await serving.end("SIGTERM");
  };
  const append = async (from: number, events: readonly Buffer[]): Promise<void> => {
    const client = await Client.connect(socket, "~nec");
    await client.open({ role: "write" });
    await client.append(encodeRecords(BigInt(from), events));
    await client.acknowledged(BigInt(from + events.length - 1));
    await client.close();
  };
  const verified = async (store: string): Promise<unknown> => (await seguroJson(["verify", "~nec", "--store", store])).json;
  const migrate = (from: string, to: string): ReturnType<typeof seguroJson> => seguroJson(["migrate", "--from", from, "--to", to]);

  await beside(here, async () => {
    await append(1, payloads(SMALL, 20_000));
    await append(SMALL + 1, [Buffer.alloc(HUGE_BYTES, "a huge event;")]);
    await append(SMALL + 2, payloads(5, 100));
  });
  const before = await verified(here);
  const child = spawnSeguro(["migrate", "--from", here, "--to", there]);
  setTimeout(() => child.kill("SIGKILL"), 1500);
  await new Promise((resolve) => child.once("close", resolve));
  t.match(await migrate(here, there), { code: 0, json: { ships: [{ ship: "~nec", logs: [{ height: String(SMALL + 6) }] }] } });
  t.same(await verified(there), before, "in the cluster");
  await beside(here, async () => {
    await t.rejects(append(SMALL + 7, payloads(1, 10)), { code: "ship-moved" }, "the old store refuses it");
  });
  await beside(there, async () => {
    await append(SMALL + 7, payloads(3, 10));
    t.match(await migrate(there, here), { code: 0 }, "beside a sidecar that does not write the ship");
    await t.rejects(append(SMALL + 10, payloads(1, 10)), { code: "ship-moved" }, "the cluster refuses it");
  });
  t.match(await verified(here), { events: String(SMALL + 9), damage: [] });
  t.same(await verified(there), await verified(here));
});
