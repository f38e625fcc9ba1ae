// A scripted server of protocol 1's handshake and frames: each test says what it answers. And a record of the protocol, built by hand.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { crc32c } from "../../src/native/checksum.ts";
import { type FrameHeader, FrameReader } from "../../src/wire/frames.ts";

export interface Session {
  readonly socket: Socket;
  send(frame: Buffer): void;
}

export interface Script {
  readonly greeting?: string;
  /** Never says a word. */
  readonly silent?: boolean;
  /** Answers POINT; default WELCOME with the name. Null closes. */
  readonly welcome?: (name: string) => string | null;
  readonly frame?: (session: Session, header: FrameHeader, body: Buffer) => void;
}

export interface FakeServer {
  readonly socketPath: string;
  readonly sessions: Session[];
  stop(): Promise<void>;
}

const dropped = (): void => undefined;

function serve(socket: Socket, script: Script, sessions: Session[]): void {
  let text = Buffer.alloc(0);
  let step = 0;
  const session: Session = { socket, send: (frame) => void socket.write(frame) };
  const reader = new FrameReader({
    streams: () => false,
    frame: (header, body) => script.frame?.(session, header, Buffer.from(body)),
    piece: dropped,
  });
  sessions.push(session);
  socket.on("error", dropped);
  if (script.silent === true) {
    return;
  }
  socket.write(`${script.greeting ?? "SEGURO 0 1"}\0`);
  socket.on("data", (chunk: Buffer) => {
    if (step === 2) {
      reader.push(chunk);
      return;
    }
    text = Buffer.concat([text, chunk]);
    for (let end = text.indexOf(0); end >= 0 && step < 2; end = text.indexOf(0)) {
      const block = text.toString("latin1", 0, end);
      text = text.subarray(end + 1);
      step += 1;
      if (step === 1) {
        socket.write("IDENTIFY 1\0");
      } else {
        const name = block.slice("POINT ".length);
        const answer = script.welcome === undefined ? `WELCOME ${name}` : script.welcome(name);
        answer === null ? socket.destroy() : socket.write(`${answer}\0`);
      }
    }
    if (step === 2 && text.length > 0) {
      reader.push(text);
    }
  });
}

export function tempFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), "seguro-test-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export async function fakeServer(script: Script): Promise<FakeServer> {
  const { folder, remove } = tempFolder();
  const socketPath = path.join(folder, "s");
  const sessions: Session[] = [];
  const server: Server = createServer((socket) => serve(socket, script, sessions));
  await new Promise<void>((resolve) => server.listen(socketPath, () => resolve()));
  return {
    socketPath,
    sessions,
    stop: async () => {
      for (const { socket } of sessions) {
        socket.destroy();
      }
      await new Promise<void>((resolve) => server.close(() => resolve()));
      remove();
    },
  };
}

export function record(id: bigint, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(24);
  head.writeBigUInt64LE(BigInt(payload.length), 0);
  head.writeBigUInt64LE(id, 8);
  head.writeUInt32LE(crc32c(payload, crc32c(head.subarray(0, 20))), 20);
  return Buffer.concat([head, payload, Buffer.alloc(-payload.length & 7)]);
}
