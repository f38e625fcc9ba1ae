// The stream transport by itself: when a peer counts as one that has stalled.
import net from "node:net";
import path from "node:path";
import t from "tap";
import { StreamTransport } from "../../src/transport/stream.ts";
import { testFolder } from "./native.ts";

const NEVER_MS = 1_000_000_000;

t.test("a peer that leaves its answers unread has stalled, also after it was idle; one that is owed nothing has not", async (t) => {
  const socketPath = path.join(testFolder(t), "s");
  const server = net.createServer();
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  const peer = net.connect(socketPath);
  const socket = await accepted;
  t.teardown(() => {
    peer.destroy();
    socket.destroy();
  });
  let stalls = 0;
  const transport = new StreamTransport(socket, NEVER_MS, {
    data: () => undefined,
    closed: () => undefined,
    stalled: () => {
      stalls++;
    },
  });
  t.equal(socket.timeout, NEVER_MS);
  // The time is over when the test says so.
  const timePasses = (): void => void socket.emit("timeout");
  for (let idle = 0; idle < 3; idle++) timePasses();
  t.equal(stalls, 0, "nothing is owed");
  peer.pause();
  transport.send(Buffer.alloc(8 << 20));
  t.ok(socket.writableLength > 0);
  timePasses();
  t.equal(stalls, 1);
});
