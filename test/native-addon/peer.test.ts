// Peer credentials of a real Unix socket.
import { mkdtempSync, openSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import t from "tap";
import { peerCredentials } from "../../src/native/peer.ts";

/** Node does not type the descriptor of a socket's handle. */
const fdOf = (socket: net.Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;

t.test("this process at both ends", async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "seguro-peer-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(path.join(folder, "socket"), resolve));
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  const client = net.connect(path.join(folder, "socket"));
  const socket = await accepted;
  t.same(peerCredentials(fdOf(socket)), { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
  client.destroy();
  socket.destroy();
  server.close();
});

t.test("failures have a code", async (t) => {
  t.throws(() => peerCredentials(-1), { code: "EBADF", syscall: "getsockopt" });
  t.throws(() => peerCredentials(openSync("/dev/null", "r")), { code: "ENOTSOCK" });
});
