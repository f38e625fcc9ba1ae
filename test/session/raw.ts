// A peer of version 1 that may break any rule: sends bytes as they are, and reads the server's frames one by one.
import net from "node:net";
import { crc32c } from "../../src/native/checksum.ts";
import { Frame } from "../../src/wire/constants.ts";
import type { SeguroError } from "../../src/wire/errors.ts";
import { type FrameHeader, FrameReader } from "../../src/wire/frames.ts";
import { decodeError } from "../../src/wire/messages.ts";
import type { TestSidecar } from "./helpers.ts";

export interface Got {
  readonly header: FrameHeader;
  readonly body: Buffer;
}

export interface FrameFaults {
  readonly request?: number;
  readonly flags?: number;
  readonly reserved?: number;
  /** Announced instead of the body's own size. */
  readonly bodyBytes?: number;
  /** Xored into the header's checksum. */
  readonly checksum?: number;
  readonly padding?: number;
}

/** A frame, right but for the faults asked for. */
export function rawFrame(type: number, body: Buffer = Buffer.alloc(0), faults: FrameFaults = {}): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(faults.bodyBytes ?? body.length, 0);
  head.writeUInt8(type, 4);
  head.writeUInt8(faults.flags ?? 0, 5);
  head.writeUInt16LE(faults.reserved ?? 0, 6);
  head.writeUInt32LE(faults.request ?? 0, 8);
  head.writeUInt32LE((crc32c(head.subarray(0, 12)) ^ (faults.checksum ?? 0)) >>> 0, 12);
  return Buffer.concat([head, body, Buffer.alloc(-body.length & 7, faults.padding ?? 0)]);
}

export const role = { write: 1, read: 2, admin: 3 } as const;

export function rawOpen(as: number, kind = 0, log = 0): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt8(as, 0);
  body.writeUInt8(kind, 1);
  body.writeUInt32LE(log, 4);
  return rawFrame(Frame.OPEN, body);
}

export function u64(...values: bigint[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => {
    bytes.writeBigUInt64LE(value, index * 8);
  });
  return bytes;
}

export function readOf(request: number, from: bigint, limit = 0n, credit = 1n << 40n, flags = 0n): Buffer {
  return rawFrame(Frame.READ, u64(from, limit, credit, flags), { request });
}

export class RawClient {
  readonly socket: net.Socket;
  readonly #frames: Got[] = [];
  readonly #reader: FrameReader;
  #text = Buffer.alloc(0);
  #texts = 3;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(path: string, ship: string) {
    this.#reader = new FrameReader({
      streams: () => false,
      piece: () => undefined,
      frame: (header, body) => {
        this.#frames.push({ header, body: Buffer.from(body) });
      },
    });
    this.socket = net.connect(path);
    this.socket.on("data", (chunk: Buffer) => {
      this.#take(chunk);
      this.#wake();
    });
    this.socket.on("error", () => undefined);
    for (const end of ["end", "close"]) {
      this.socket.on(end, () => {
        this.#ended = true;
        this.#wake();
      });
    }
    this.socket.write(`HELLO 1\0POINT ${ship}\0`);
  }

  /** Connects and points at a ship ("-" for none); the handshake's answers are skipped. */
  static to(sidecar: TestSidecar, ship = "~zod"): RawClient {
    return new RawClient(sidecar.socketPath, ship);
  }

  /** As `to`, with an OPEN whose answer was right. */
  static async opened(sidecar: TestSidecar, as: number, ship = "~zod", kind = 0): Promise<RawClient> {
    const client = RawClient.to(sidecar, ship);
    client.send(rawOpen(as, kind));
    const opened = await client.next();
    if (opened?.header.type !== Frame.OPENED) {
      throw new Error(`not opened: ${opened === null ? "hung up" : decodeIfError(opened)?.code}`);
    }
    return client;
  }

  send(...parts: Buffer[]): this {
    for (const part of parts) {
      this.socket.write(part);
    }
    return this;
  }

  /** The next frame, or null when the server has hung up. */
  async next(): Promise<Got | null> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        return frame;
      }
      if (this.#ended) {
        return null;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next frame of a type, whatever comes before it; null when the server hangs up instead. */
  async nextOf(type: number): Promise<Got | null> {
    let got = await this.next();
    while (got !== null && got.header.type !== type) {
      got = await this.next();
    }
    return got;
  }

  /** The name of the next error, with "!" when the session ended with it; "" when the server just hung up. */
  async error(): Promise<string> {
    const got = await this.nextOf(Frame.ERROR);
    if (got === null) {
      return "";
    }
    const { error, fatal } = decodeError(got.body);
    return fatal && (await this.nextOf(Frame.ERROR)) === null ? `${error.code}!` : error.code;
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    let rest = Buffer.concat([this.#text, chunk]);
    for (; this.#texts > 0; this.#texts--) {
      const end = rest.indexOf(0);
      if (end < 0) {
        this.#text = rest;
        return;
      }
      rest = rest.subarray(end + 1);
    }
    this.#text = Buffer.alloc(0);
    this.#reader.push(rest);
  }
}

function decodeIfError(got: Got): SeguroError | null {
  return got.header.type === Frame.ERROR ? decodeError(got.body).error : null;
}
