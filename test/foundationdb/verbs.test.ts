// The command on a real cluster: a pier in and out, listed, verified, through a sidecar and without one; and what it says where FoundationDB is not usable.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { seguro, seguroJson } from "../cli/command.ts";
import { pierSmallManifest, unpackPierSmall } from "../fixtures.ts";
import { readLines } from "../pier/helpers.ts";
import { Cluster } from "./cluster.ts";
import { Machine, shortFolder } from "./harness.ts";
import { withoutCluster } from "./installed.ts";

const SHIP = "~sampel-palnet";

t.test("verbs on a real cluster", { skip: withoutCluster }, async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.stop());

  t.test("a pier in and out, through two machines", async (t) => {
    const folder = shortFolder(t);
    const pier = unpackPierSmall(folder);
    const [a, b] = [new Machine(t, cluster, "a", "verbs/"), new Machine(t, cluster, "b", "verbs/")];
    await Promise.all([a.start(), b.start()]);
    const first = await seguroJson(["import", pier, "--socket", a.socket]);
    t.match(first, { code: 0, json: { ship: SHIP, log: 1, height: "2000", imported: "2000", changed: true } });
    const second = await seguroJson(["import", pier, "--socket", b.socket]);
    t.match(
      second,
      { code: 0, json: { imported: "0", present: "2000", changed: false, digest: first.json.digest } },
      "by another sidecar too",
    );
    for (const { socket, store } of [a, b]) {
      t.match((await seguroJson(["list", "--socket", socket])).json, {
        ships: [{ ship: SHIP, currentLog: 1, writer: null, logs: [{ log: 1, base: "1", height: "2000", events: "2000" }] }],
      });
      t.match((await seguroJson(["status", SHIP, "--socket", socket])).json, {
        store: { name: store, commits: Number },
        ships: [{ ship: SHIP }],
      });
      const verified = await seguroJson(["verify", SHIP, "--socket", socket]);
      t.match(verified, { code: 0, json: { events: "2000", digest: first.json.digest, damage: [] } });
    }
    const direct = await seguroJson(["verify", SHIP, "--store", a.store]);
    t.match(direct, { code: 0, json: { events: "2000", damage: [] } }, "without a sidecar, beside two");
    const out = path.join(folder, "out");
    const restored = await seguroJson(["restore", SHIP, out, "--socket", b.socket]);
    t.match(restored, { code: 0, json: { last: "2000", neverBoot: false, digest: first.json.digest } });
    t.same(await readLines(path.join(out, ".urb/log/0i0")), pierSmallManifest());
    t.match(await seguroJson(["retire", SHIP, "--socket", a.socket]), { code: 0, json: { log: 1 } });
    t.match(await seguroJson(["forget", SHIP, "--log", "1", "--yes", "--socket", b.socket]), { code: 0, json: { log: 1, events: "2000" } });
    const again = await seguroJson(["import", pier, "--socket", a.socket]);
    t.match(again, { code: 0, json: { log: 2, imported: "2000" } }, "the next import begins a new log");
    t.match(await a.end("SIGTERM"), { code: 0, stderr: "" });
    t.match(await b.end("SIGTERM"), { code: 0, stderr: "" });
  });

  t.test("a cluster file that is missing, or not one; a prefix where no store is", async (t) => {
    const folder = shortFolder(t);
    const socket = path.join(folder, "s");
    const wrong = path.join(folder, "fdb.cluster");
    writeFileSync(wrong, "not a cluster file\n");
    for (const store of [`foundationdb:${folder}/none`, `foundationdb:${wrong}`]) {
      const { code, json } = await seguroJson(["serve", "--socket", socket, "--store", store, "--state", path.join(folder, "state")]);
      t.match(
        { code, json },
        { code: 1, json: { error: { code: "store-missing", message: /there is no cluster file|2104/, hint: /luster file|[Cc]opy/ } } },
      );
    }
    const nowhere = await seguroJson(["list", "--store", `foundationdb:${cluster.copyOfClusterFile()}?prefix=nowhere/`]);
    t.match(nowhere, { code: 1, json: { error: { code: "store-missing", message: /there is no store/ } } });
  });

  t.test("a client library that cannot be loaded, or is too old", async (t) => {
    const folder = shortFolder(t);
    const args = [
      "serve",
      "--socket",
      path.join(folder, "s"),
      "--store",
      `foundationdb:${cluster.clusterFile}`,
      "--state",
      path.join(folder, "state"),
    ];
    const old = path.join(folder, "old");
    const broken = path.join(folder, "broken");
    mkdirSync(old);
    mkdirSync(broken);
    writeFileSync(path.join(broken, "libfdb_c.so"), "");
    // As 6.3 answers whoever asks for a newer API: 2203, api_version_not_supported.
    const source =
      "int fdb_select_api_version_impl(int runtime, int header) { return 2203; }\nint fdb_get_max_api_version(void) { return 630; }\n";
    writeFileSync(path.join(old, "old.c"), `${source}const char *fdb_get_error(int code) { return "API version not supported"; }\n`);
    execFileSync("cc", ["-shared", "-fPIC", "-o", path.join(old, "libfdb_c.so"), path.join(old, "old.c")]);
    for (const dir of [broken, old]) {
      const ended = await seguro(args, { env: { LD_LIBRARY_PATH: dir } });
      t.equal(ended.code, 1, ended.stderr);
      t.match(ended.stderr, /client library, version 7\.2 or newer/, "it says what to install");
    }
  });
});
