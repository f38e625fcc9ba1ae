// Gives the memory of large Buffers back early. The garbage collector counts it, and would run over the whole heap every 64 MiB of events.
import { addon } from "./addon.ts";

const native = addon as { freeMemory(bytes: Uint8Array): void };

/** Below this the collector is cheaper; and Buffers that share a pool of Node's are far smaller. */
const FREE_FROM_BYTES = 16 * 1024;

/** Gives back the memory under `bytes`, if it is worth it. Every other view of the same memory is empty from then on: nobody may need one. */
export function freeMemory(bytes: Buffer): void {
  if (bytes.buffer.byteLength >= FREE_FROM_BYTES) {
    native.freeMemory(bytes);
  }
}
