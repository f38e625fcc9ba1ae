// The types of the addon's pier classes (native/addon/pier_*.cc); the other files here wrap them.
import { addon } from "../native/addon.ts";

export interface NativeSpan {
  firstId: bigint;
  lastId: bigint;
  count: bigint;
}

export interface NativeRun extends NativeSpan {
  lengthBytes: number;
  offsetBytes: number;
  totalBytes: number;
  shortEvents: number;
}

export interface NativeReader {
  measure(): Promise<NativeSpan & { transaction: bigint; fileBytes: number }>;
  walk(): Promise<NativeSpan & { payloadBytes: bigint; largestBytes: number; shortEvents: bigint; firstShortId: bigint }>;
  readMeta(): Promise<[Buffer, Buffer][]>;
  nextRun(fromId: bigint, offsetBytes: bigint, into: Uint8Array, acceptZeroPages: boolean): Promise<NativeRun | null>;
  close(): void;
}

export interface NativeTableWriter {
  append(records: Uint8Array): Promise<bigint>;
  finish(): Promise<bigint>;
  abort(): Promise<void>;
}

interface PierAddon {
  PierReader: new (dataPath: string) => NativeReader;
  PierTableWriter: new (folder: string, events: boolean, base: bigint, meta: [Uint8Array, Uint8Array][]) => NativeTableWriter;
  pierLockHolder(path: string): number;
}

export const native = addon as PierAddon;
