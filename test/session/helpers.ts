// A sidecar in this process on a store of the test's choice, and small tools to talk to it.
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { systemClock } from "../../src/operate/clock.ts";
import { Sidecar, type SidecarOptions } from "../../src/session/sidecar.ts";
import type { Kv } from "../../src/store/kv.ts";
import { MemoryKv } from "../../src/store/memory.ts";
import { identity } from "../log/probe.ts";

export interface TestSidecar {
  readonly socketPath: string;
  readonly kv: Kv;
  readonly sidecar: Sidecar;
  /** What the sessions logged. */
  readonly logged: { level: string; fields: Record<string, unknown>; text: string }[];
  stop(): Promise<void>;
}

const uid = process.getuid?.() ?? 0;

/** Starts a sidecar; `stop` (or the test's teardown) ends it and removes its folder. */
export async function startSidecar(options: Partial<SidecarOptions> & { kv?: Kv } = {}): Promise<TestSidecar> {
  const dir = await mkdtemp(path.join(os.tmpdir(), "seguro-"));
  const socketPath = path.join(dir, "s.sock");
  const kv = options.kv ?? new MemoryKv();
  const logged: TestSidecar["logged"] = [];
  const say =
    (level: string) =>
    (fields: object, text: string): void => {
      logged.push({ level, fields: { ...fields }, text });
    };
  const sidecar = await Sidecar.start({
    kv,
    socketPath,
    access: { mayConnect: (peer) => peer === uid, mayUse: () => true, mayAdminister: () => true },
    limits: { sessions: 10_000, eventBytes: 0xffffffff, handshakeTimeoutMs: 30_000, stallTimeoutMs: 60_000 },
    clock: systemClock,
    log: { info: say("info"), warn: say("warn"), error: say("error") },
    writer: { ...identity, id: randomUUID() },
    version: "0.0.0-test",
    ringBytes: 65_536,
    ...options,
  });
  return {
    socketPath,
    kv,
    sidecar,
    logged,
    stop: async () => {
      await sidecar.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export async function connect(sidecar: TestSidecar, ship: string | null): Promise<Client> {
  return Client.connect(sidecar.socketPath, ship);
}

/** Records `from` to `from + count - 1`, with contents that depend on their ids and `salt`. */
export function someRecords(from: bigint, count: number, lengthBytes = 50, salt = 0): Buffer {
  const payloads = Array.from({ length: count }, (_, index) => {
    const payload = Buffer.alloc(lengthBytes, Number((from + BigInt(index)) % 251n));
    payload.writeUInt8(salt, lengthBytes - 1);
    return payload;
  });
  return encodeRecords(from, payloads);
}
