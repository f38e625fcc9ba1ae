// The sidecar as a whole: listens, checks who connects, keeps its sessions, and stops in order.
import net from "node:net";
import type { WriterIdentity } from "../log/beat.ts";
import type { Clock } from "../log/clock.ts";
import { Logs } from "../log/logs.ts";
import { peerCredentials } from "../native/peer.ts";
import { widenSendBuffer } from "../native/send-buffer.ts";
import type { Kv } from "../store/kv.ts";
import { Rings } from "../transport/rings.ts";
import { StreamTransport } from "../transport/stream.ts";
import type { TransportEnds } from "../transport/transport.ts";
import { SeguroError } from "../wire/errors.ts";
import { Administration } from "./admin.ts";
import type { Access, Context, Limits, Peer, SessionLog, SessionStatus } from "./context.ts";
import { Session } from "./session.ts";
import { listen } from "./socket-file.ts";

export interface SidecarOptions {
  readonly kv: Kv;
  readonly socketPath: string;
  readonly access: Access;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: SessionLog;
  /** This process, for epoch records and its beat. */
  readonly writer: WriterIdentity;
  readonly version: string;
  /** Bytes of each direction of a session's shared memory; null where sessions stay on their sockets. */
  readonly ringBytes: number | null;
  /** False only in benchmarks (`LogsOptions`). */
  readonly digests?: boolean;
}

/** What a socket may hold of a replay on its way: as much as the kernel's usual limit allows. */
const SEND_BUFFER_BYTES = 1 << 20;

interface SocketWithHandle extends net.Socket {
  readonly _handle?: { readonly fd?: number } | null;
}

/** The credentials of a Unix socket's peer, or null when they cannot be had (it is gone already). Readies the socket for bulk sending. */
function peerOf(socket: SocketWithHandle): Peer | null {
  const fd = socket._handle?.fd;
  if (fd === undefined || fd < 0) {
    return null;
  }
  try {
    const peer = peerCredentials(fd);
    widenSendBuffer(fd, SEND_BUFFER_BYTES);
    return peer;
  } catch {
    return null;
  }
}

export class Sidecar {
  readonly #options: SidecarOptions;
  readonly #context: Context;
  readonly #server: net.Server;
  readonly #sessions = new Map<Session, () => Promise<void>>();
  #sessionCount = 0;
  #stopping = false;

  private constructor(options: SidecarOptions, logs: Logs) {
    this.#options = options;
    const startedMs = options.clock.nowMs();
    const administration = new Administration({
      logs,
      access: options.access,
      version: options.version,
      uptimeMs: () => options.clock.nowMs() - startedMs,
      sessions: () => this.sessions(),
    });
    this.#context = {
      logs,
      access: options.access,
      limits: options.limits,
      clock: options.clock,
      log: options.log,
      rings: options.ringBytes === null ? null : new Rings(options.ringBytes),
      admin: (request, uid, session, more) => administration.answer(request, uid, session, more),
    };
    // A client that half-closes may still be waiting for its last acknowledgements; the session decides when it is over.
    this.#server = net.createServer({ allowHalfOpen: false, pauseOnConnect: false }, (socket) => this.#accept(socket));
  }

  /** Opens the store's logs and listens. The store stays the caller's: close it after `stop`. Throws StoreError, SocketError. */
  static async start(options: SidecarOptions): Promise<Sidecar> {
    const { writer, clock, digests = true } = options;
    const logs = await Logs.open(options.kv, { writer, clock, defer: (run) => void setImmediate(run), digests });
    const sidecar = new Sidecar(options, logs);
    await listen(sidecar.#server, options.socketPath);
    // Too many open files: that newcomer is lost, the sessions there are go on.
    sidecar.#server.on("error", (error) => options.log.error({ error: error.message }, "a connection could not be accepted"));
    return sidecar;
  }

  sessions(): SessionStatus[] {
    return [...this.#sessions.keys()].map((session) => session.status());
  }

  /** Accepts nobody more, ends every session once its commits under way are resolved, and removes the socket file. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const ends = [...this.#sessions].map(([session, ended]) => {
      session.fail(new SeguroError("stopping", "the sidecar is shutting down", "connect again in a moment"));
      return ended();
    });
    await Promise.all(ends);
    await this.#context.logs.close();
    await closed;
  }

  #accept(socket: net.Socket): void {
    const { access, limits, log } = this.#context;
    const peer = peerOf(socket);
    if (peer === null || this.#stopping) {
      socket.destroy();
      return;
    }
    if (!access.mayConnect(peer.uid)) {
      log.warn({ uid: peer.uid, pid: peer.pid }, "refused: this user may not connect");
      socket.destroy();
      return;
    }
    if (this.#sessions.size >= limits.sessions) {
      log.warn({ uid: peer.uid, pid: peer.pid, sessions: limits.sessions }, "refused: the limit of sessions is reached");
      socket.destroy();
      return;
    }
    this.#serve(socket, peer);
  }

  #serve(socket: net.Socket, peer: Peer): void {
    let closed: () => void = () => undefined;
    const whenClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const ends: TransportEnds = {
      closed: () => {
        void session.closed().finally(() => {
          this.#sessions.delete(session);
          closed();
        });
      },
      stalled: () => {
        session.fail(new SeguroError("client-stalled", "the client does not read its answers", "read them, or give reads less credit"));
        session.transport.destroy();
      },
    };
    const stream = new StreamTransport(socket, this.#options.limits.stallTimeoutMs, { ...ends, data: (chunk) => session.data(chunk) });
    this.#sessionCount++;
    const session = new Session(this.#context, stream, ends, peer, this.#sessionCount);
    this.#sessions.set(session, () => whenClosed);
  }
}
