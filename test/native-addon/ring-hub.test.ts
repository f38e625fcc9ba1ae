// The hub of rings in worker threads that end while its thread is busy, and its refusals.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Worker } from "node:worker_threads";
import t from "tap";
import { RingHub } from "../../src/native/ring-hub.ts";

const addonPath = path.resolve(import.meta.dirname, "../../build/Release/seguro.node");
const OPTIONS = { runBytes: 1 << 20, pieceBytes: 1 << 16, eventBytesMax: 2 ** 32 - 1 };

/** Plain JavaScript over the bare addon: a ring over a socket of its own, whose other end rings the doorbell again and again. */
const body = `
  const { parentPort, workerData } = require("node:worker_threads");
  const net = require("node:net");
  const addon = require(workerData.addonPath);
  let calls = 0;
  const hub = new addon.RingHub(() => { calls++; });
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    const { id } = hub.create(socket._handle.fd, 65536, 1 << 20, 1 << 16, 2 ** 32 - 1);
    hub.accept(id, 0n);
    const refused = hub.start(id, Buffer.from("opened"));
    socket.destroy();
    hub.put(id, Buffer.alloc(70000), 0);
    hub.publish(id, true);
    if (workerData.close) hub.close(id);
    parentPort.postMessage(refused === null ? "started" : refused);
  });
  server.listen(workerData.socketPath, () => {
    const client = net.connect(workerData.socketPath);
    client.on("data", () => { setInterval(() => client.write(Buffer.alloc(64)), 1); });
    client.on("error", () => {});
  });
`;

t.test("a worker may end while its hub is at work", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "seguro-hub-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (let i = 0; i < 12; i++) {
    const workerData = { addonPath, socketPath: path.join(folder, `${i}`), close: i % 3 === 0 };
    const worker = new Worker(body, { eval: true, execArgv: [], workerData });
    const [message] = (await once(worker, "message")) as [string];
    t.equal(message, "started");
    t.equal(await worker.terminate(), 1);
  }
});

t.test("what cannot be is refused with a reason", async (t) => {
  const hub = new RingHub();
  t.type(hub.create(-1, 65_536, OPTIONS), "string", "a descriptor that is none");
  t.type(hub.create(0, 65_537, OPTIONS), "string", "a size that no ring has");
  t.throws(() => hub.publish(99, false), /has ended/);
});
