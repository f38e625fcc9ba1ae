// `seguro serve`: sockets that are stale, alive, or none; stores that are held; configurations; signals; a crash in mid-import.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import t, { type Test } from "tap";
import { Client } from "../../src/client/client.ts";
import { tempFolder } from "../client/fake-server.ts";
import { buildPier, payloads } from "../pier/helpers.ts";
import { seguro, seguroJson, serve, serveIn } from "./command.ts";

const KILL_ATTEMPTS = 10;

t.test("one socket, one store, one sidecar", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const serving = await serveIn(folder);
  t.teardown(() => serving.process.kill("SIGKILL"));
  const other = `lmdb:${path.join(folder, "other")}`;
  t.match(await seguroJson(["serve", "--socket", serving.socket, "--store", other]), {
    code: 4,
    json: { error: { code: "socket-in-use", exitCode: 4 } },
  });
  const held = await seguroJson(["serve", "--socket", path.join(folder, "s2"), "--store", serving.store]);
  t.match(held, { code: 4, json: { error: { code: "store-locked", message: new RegExp(`process ${serving.process.pid} `) } } });
  const verb = await seguro(["list", "--store", serving.store]);
  t.match(verb, { code: 4, stderr: /leave out --store/ });

  // Killed, it leaves its socket behind; the next one replaces it.
  await serving.end("SIGKILL");
  t.ok(existsSync(serving.socket));
  t.match(await seguroJson(["list", "--socket", serving.socket]), {
    code: 3,
    json: { error: { code: "cannot-connect", message: /nobody answers/ } },
  });
  const again = await serveIn(folder);
  t.teardown(() => again.process.kill("SIGKILL"));
  t.match(await seguro(["list", "--socket", again.socket]), { code: 0 });
  t.equal((await again.end("SIGINT")).code, 0);
});

t.test("what is not a socket, or not a sidecar, is left alone", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const file = path.join(folder, "file");
  writeFileSync(file, "precious");
  const store = `lmdb:${path.join(folder, "store")}`;
  t.match(await seguroJson(["serve", "--socket", file, "--store", store]), { code: 1, json: { error: { code: "socket-not-a-socket" } } });
  t.equal(readFileSync(file, "utf8"), "precious");
  const stranger = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("hello\0");
  });
  const socket = path.join(folder, "stranger");
  await new Promise<void>((resolve) => stranger.listen(socket, () => resolve()));
  t.teardown(() => stranger.close());
  t.match(await seguroJson(["serve", "--socket", socket, "--store", store]), { code: 4, json: { error: { code: "socket-in-use" } } });
  t.match(await seguroJson(["status", "--socket", socket]), { code: 3, json: { error: { code: "not-a-sidecar" } } });
});

t.test("the configuration", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const file = path.join(folder, "seguro.toml");
  const socket = path.join(folder, "run", "s");
  writeFileSync(file, `socket = "${socket}"\nstore = "lmdb:${folder}/store"\n[log]\nlevel = "silent"\n[limits]\nsessions = 1\n`);
  const serving = await serve(["--config", file]);
  t.teardown(() => serving.process.kill("SIGKILL"));
  t.equal(serving.socket, socket);
  const only = await Client.connect(socket, null);
  // Open, it stays; in the handshake it would be sent away before a slow machine has started the next process.
  await only.open({ role: "admin" });
  t.match(await seguroJson(["list", "--socket", socket]), { code: 4, json: { error: { code: "turned-away" } } });
  await only.close();
  t.same(await serving.end("SIGTERM"), { code: 0, stdout: `${serving.ready}\n`, stderr: "" });
  writeFileSync(file, "\nsokcet = 1\n");
  t.match(await seguro(["serve", "--config", file]), { code: 2, stderr: /seguro\.toml:2: "sokcet" is not a known field\nhint: / });
  t.match(await seguro(["serve", "--store", "ldb:x"]), { code: 1, stderr: /there is no store of the kind/ });
  t.match(await seguro(["serve", "--log-level", "loud"]), { code: 2 });
  t.match(await seguro(["serve", "--log-level", "silent", "--store", `lmdb:${file}`]), { code: 1 });
});

t.test("the defaults are the user's folders", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  mkdirSync(path.join(folder, "run"), { mode: 0o700 });
  const env = { XDG_RUNTIME_DIR: path.join(folder, "run"), XDG_STATE_HOME: path.join(folder, "state") };
  const serving = await serve([], { env });
  t.teardown(() => serving.process.kill("SIGKILL"));
  t.equal(serving.socket, path.join(folder, "run/seguro/seguro.sock"));
  t.equal(serving.store, `lmdb:${folder}/state/seguro/store`);
  t.match(await seguro(["status"], { env }), { code: 0, stdout: /^sidecar +version/ });
  await serving.end("SIGTERM");
  t.match(await seguro(["list", "--store", serving.store, "--json"]), { code: 0, stdout: '{"ships":[]}\n' });
});

t.test("killed in mid-import, then resumed", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const pier = path.join(folder, "zod");
  await buildPier(pier, [{ base: 0n, payloads: payloads(1500, 40_000) }]);
  const { heard, store } = await killInMidImport(t, folder, pier);
  const second = await serveIn(store);
  t.teardown(() => second.process.kill("SIGKILL"));
  const resumed = await seguroJson(["import", pier, "--socket", second.socket]);
  t.match(resumed, { code: 0, json: { height: "1500" } });
  const { present, imported } = resumed.json as { present: string; imported: string };
  t.ok(BigInt(present) >= heard, `${present} were kept, ${heard} were acknowledged before the kill`);
  t.equal(BigInt(present) + BigInt(imported), 1500n);
  t.match(await seguroJson(["verify", "~zod", "--socket", second.socket]), { code: 0, json: { events: "1500", damage: [] } });
  t.equal((await second.end("SIGTERM")).code, 0);
});

/** Kills a sidecar in the middle of an import. One that has ended before the kill came proves nothing: then again, on another store. */
async function killInMidImport(t: Test, folder: string, pier: string): Promise<{ heard: bigint; store: string }> {
  for (let attempt = 1; ; attempt++) {
    const store = path.join(folder, `${attempt}`);
    const first = await serveIn(store);
    t.teardown(() => first.process.kill("SIGKILL"));
    const importing = seguroJson(["import", pier, "--socket", first.socket]);
    const heard = await waitForEvents(first.socket, 100n);
    await first.end("SIGKILL");
    const ended = await importing;
    if (ended.code !== 0 || attempt === KILL_ATTEMPTS) {
      t.match(ended, { code: 1, json: { error: { code: "connection-lost" } } });
      return { heard, store };
    }
  }
}

/** Follows the log of ~zod live until it holds so many events; what a reader sees is acknowledged. */
async function waitForEvents(socket: string, height: bigint): Promise<bigint> {
  for (;;) {
    const client = await Client.connect(socket, "~zod");
    try {
      const opened = await client.open({ role: "read" });
      if (opened.height >= height) {
        return opened.height;
      }
    } catch {
      // The import has not begun yet: there is no such ship.
    } finally {
      await client.close();
    }
  }
}
