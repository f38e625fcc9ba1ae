// The main job through the command: a pier in, listed, verified, out again byte for byte; a second import changes nothing; retire and forget.
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { inspectPier } from "../../src/pier/layout.ts";
import { tempFolder } from "../client/fake-server.ts";
import { pierSmallManifest, unpackPierSmall } from "../fixtures.ts";
import { buildPier, type EpochFixture, readLines, zodMeta } from "../pier/helpers.ts";
import { seguro, seguroJson, serveIn } from "./command.ts";

const SHIP = "~sampel-palnet";

t.test("a real ship's pier, in and out", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const pier = unpackPierSmall(folder);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const env = { SEGURO_SOCKET: serving.socket };
  t.equal(statSync(serving.socket).mode & 0o777, 0o600);
  t.equal(statSync(path.dirname(serving.socket)).mode & 0o777, 0o700);

  const first = await seguroJson(["import", pier], { env });
  t.match(first, {
    code: 0,
    json: { ship: SHIP, kind: "real", log: 1, first: "1", height: "2000", imported: "2000", changed: true, live: false },
  });
  const second = await seguroJson(["import", pier], { env });
  t.match(second.json, { imported: "0", present: "2000", changed: false, files: 0, metadata: 0, digest: first.json.digest });
  t.match((await seguro(["import", pier], { env })).stdout, /nothing to import/);

  const list = await seguroJson(["list"], { env });
  t.match(list.json, {
    ships: [{ ship: SHIP, kind: "real", currentLog: 1, writer: null, logs: [{ log: 1, base: "1", height: "2000", events: "2000" }] }],
  });
  const status = await seguroJson(["status", "sampel-palnet"], { env });
  t.match(status.json, { version: String, store: { name: serving.store, fileBytes: Number, freeBytes: Number }, ships: [{ ship: SHIP }] });
  t.match((await seguro(["status"], { env })).stdout, /SHIP .*HEIGHT.*\n~sampel-palnet +1 +1 +2,000/);
  const verify = await seguroJson(["verify", SHIP], { env });
  t.match(verify, { code: 0, json: { events: "2000", id: "2000", digest: first.json.digest, damage: [] } });

  const out = path.join(folder, "out");
  const restored = await seguroJson(["restore", SHIP, out], { env });
  t.match(restored, { code: 0, json: { first: "1", last: "2000", events: "2000", neverBoot: false, digest: first.json.digest } });
  t.same(await readLines(path.join(out, ".urb/log/0i0")), pierSmallManifest());
  const [was, is] = await Promise.all([inspectPier(pier), inspectPier(out)]);
  t.same(is.topMeta, was.topMeta);
  t.same(
    [is.epochs[0]?.meta, is.epochs[0]?.epocTxt, is.epochs[0]?.vereTxt],
    [was.epochs[0]?.meta, was.epochs[0]?.epocTxt, was.epochs[0]?.vereTxt],
  );
  t.equal(statSync(out).mode & 0o777, 0o700);
  t.equal(statSync(path.join(out, ".urb/log/0i0/data.mdb")).mode & 0o777, 0o600);
  t.match(await seguro(["restore", SHIP, out], { env }), { code: 1, stderr: /is not empty/ });

  t.match(await seguroJson(["forget", SHIP, "--log", "1", "--yes"], { env }), { code: 4, json: { error: { code: "not-retired" } } });
  t.match(await seguroJson(["retire", SHIP], { env }), { code: 0, json: { log: 1 } });
  const old = await seguroJson(["restore", SHIP, path.join(folder, "old"), "--log", "1"], { env });
  t.match(old, { code: 0, json: { neverBoot: true }, stderr: /never boot this pier/ }, "a retired log is restored with a mark");
  t.match(await seguro(["forget", SHIP, "--log", "1"], { env }), { code: 2, stderr: /nobody is there to confirm/ });
  t.match(await seguroJson(["forget", SHIP, "--log", "1", "--yes"], { env }), { code: 0, json: { log: 1, events: "2000" } });
  t.match(await seguroJson(["import", pier], { env }), { code: 0, json: { log: 2, imported: "2000" } }, "the next import starts a new log");

  const ended = await serving.end("SIGTERM");
  t.equal(ended.code, 0);
  t.notOk(existsSync(serving.socket), "the socket is gone");
  t.notMatch(ended.stderr, /"level":"error"/);
});

t.test("epochs with snapshots, a fake ship, restored whole and in part", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const env = { SEGURO_SOCKET: serving.socket };
  const events = (count: number, seed: number): Buffer[] =>
    Array.from({ length: count }, (_, i) => Buffer.alloc(5 + ((i * seed) % 3000), seed + i));
  const image = Buffer.alloc(1_200_000, 7);
  const epochs: EpochFixture[] = [
    { base: 0n, payloads: [...events(40, 3), Buffer.alloc(3_000_000, 1)] },
    { base: 41n, payloads: events(60, 5), image },
    { base: 101n, payloads: [], image },
  ];
  const pier = path.join(folder, "zod");
  await buildPier(pier, epochs);

  const imported = await seguroJson(["import", pier], { env });
  t.match(imported, { code: 0, json: { ship: "~zod", kind: "fake", height: "101", epochs: 3, changed: true } });
  t.match((await seguroJson(["import", pier], { env })).json, { changed: false });

  const whole = path.join(folder, "whole");
  t.match(await seguroJson(["restore", "zod", whole], { env }), { code: 0, json: { epochs: 3, last: "101", neverBoot: false } });
  for (const name of ["0i0", "0i41"]) {
    t.same(await readLines(path.join(whole, ".urb/log", name)), await readLines(path.join(pier, ".urb/log", name)));
  }
  t.ok(readFileSync(path.join(whole, ".urb/log/0i101/image.bin")).equals(image));
  t.ok(readFileSync(path.join(whole, ".urb/chk/image.bin")).equals(image));
  t.same((await inspectPier(whole)).topMeta, zodMeta);

  const part = path.join(folder, "part");
  const cut = await seguroJson(["restore", "~zod", part, "--at", "50"], { env });
  t.match(cut, { code: 0, json: { epochs: 2, last: "50", events: "50", height: "101", neverBoot: true }, stderr: /never boot/ });
  t.match(readFileSync(path.join(part, "NEVER-BOOT-THIS-PIER.txt"), "utf8"), /it ends with event 50/);
  t.same((await inspectPier(part)).span, { firstId: 1n, lastId: 50n, count: 50n });
  t.match(await seguroJson(["restore", "~zod", path.join(folder, "x"), "--at", "102"], { env }), {
    code: 2,
    json: { error: { code: "usage" } },
  });
  t.notOk(existsSync(path.join(folder, "x")));

  // A chopped pier: the log has what came before it.
  const chopped = path.join(folder, "chopped");
  await buildPier(chopped, [{ base: 41n, payloads: [...events(60, 5), Buffer.from("newer")], image }]);
  t.match(await seguroJson(["import", chopped], { env }), { code: 0, json: { imported: "1", present: "60", height: "102" } });
  await serving.end("SIGTERM");
});
