// Logs without a session: a writer whose inputs are made here, and reading back what a store holds.

import type { WriterIdentity } from "../../src/log/beat.ts";
import { BLOCK_BYTES, PIECE_BYTES } from "../../src/log/limits.ts";
import { Logs, type LogsOptions } from "../../src/log/logs.ts";
import { RecordReader } from "../../src/log/reader.ts";
import type { Writer } from "../../src/log/writer.ts";
import { AssemblerStatus, createAssembler } from "../../src/native/assembler.ts";
import { encodeRecords, splitRecords } from "../../src/native/records.ts";
import { systemClock } from "../../src/operate/clock.ts";
import { makeShip, type Ship } from "../../src/ship.ts";
import type { Kv } from "../../src/store/kv.ts";
import type { SeguroError } from "../../src/wire/errors.ts";

export const zod: Ship = makeShip(0n, "real");

export const identity: WriterIdentity = { id: "test", host: "here", pid: 1, boot: "a boot", lock: null, startedAt: "some time" };

export function openLogs(kv: Kv, options: Partial<LogsOptions> = {}): Promise<Logs> {
  return Logs.open(kv, { writer: identity, clock: systemClock, defer: (run) => void setImmediate(run), ...options });
}

/** One claim of a ship: pushes records, waits for heights. */
export class Probe {
  readonly #logs: Logs;
  #writer: Writer | null = null;
  failed: SeguroError | null = null;
  #wake: (() => void)[] = [];
  readonly #assembler = createAssembler({ runBytes: BLOCK_BYTES, pieceBytes: PIECE_BYTES, eventBytesMax: 0xffff_ffff });

  private constructor(logs: Logs) {
    this.#logs = logs;
  }

  static async claim(logs: Logs, ship: Ship = zod): Promise<Probe> {
    const probe = new Probe(logs);
    const wake = (): void => probe.#rouse();
    const failed = (error: SeguroError): void => {
      probe.failed ??= error;
      wake();
    };
    probe.#writer = await logs.claim(ship, "a test", failed, { acknowledged: wake, failed, room: wake });
    const { height } = probe.writer.claim.log;
    probe.#assembler.expect(height === 0n ? 0n : height + 1n);
    return probe;
  }

  get writer(): Writer {
    if (this.#writer === null) {
      throw new Error("not claimed");
    }
    return this.#writer;
  }

  get height(): bigint {
    return this.writer.claim.log.height;
  }

  /** Pushes payloads as events from `from` on, as one stream. Throws when the assembler refuses. */
  push(from: bigint, payloads: readonly Buffer[]): void {
    const status = this.#assembler.push(encodeRecords(from, payloads));
    if (status !== AssemblerStatus.OK) {
      throw new Error(`assembler status ${status}`);
    }
    for (let taken = this.#assembler.take(); taken !== null; taken = this.#assembler.take()) {
      this.writer.push("run" in taken ? { kind: "run", run: taken.run } : { kind: "large", piece: taken.large });
    }
  }

  pushAtomic(from: bigint, payloads: readonly Buffer[]): void {
    const lengthBytes = BigInt(encodeRecords(from, payloads).length);
    this.writer.push({ kind: "batch-begin", plan: { firstId: from, count: BigInt(payloads.length), lengthBytes } });
    this.push(from, payloads);
    this.writer.push({ kind: "batch-end" });
  }

  /** Resolves at that height, or with the failure. */
  async acknowledged(id: bigint): Promise<SeguroError | null> {
    while (this.height < id && this.failed === null) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return this.height >= id ? null : this.failed;
  }

  release(): Promise<void> {
    return this.#logs.release(this.writer);
  }

  #rouse(): void {
    for (const wake of this.#wake.splice(0)) {
      wake();
    }
  }
}

/** All events of a ship's log, by id. */
export async function readBack(kv: Kv, logs: Logs, ship: Ship = zod): Promise<Map<bigint, Buffer>> {
  const { log, done } = await logs.read(ship, 0);
  const found = new Map<bigint, Buffer>();
  if (log.height > 0n) {
    const reader = new RecordReader(kv, log.name, log.base, log.height);
    const parts: Buffer[] = [];
    for (let item = await reader.next(); item !== null; item = await reader.next()) {
      parts.push(Buffer.from(item.bytes));
    }
    for (const { id, payload } of splitRecords(Buffer.concat(parts))) {
      found.set(id, payload);
    }
  }
  done();
  return found;
}
