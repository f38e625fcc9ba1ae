// Memory of events outside of JavaScript's heap: given back early (the garbage collector counts it, and would run over the whole heap every
// 64 MiB of events), and kept by the process for the next ones.
import { addon } from "./addon.ts";

const native = addon as { freeMemory(bytes: Uint8Array): void; keepFreedMemory(bytes: number): void };

/** Below this the collector is cheaper; and Buffers that share a pool of Node's are far smaller. */
const FREE_FROM_BYTES = 16 * 1024;

/** Gives back the memory under `bytes`, if it is worth it. Every other view of the same memory is empty from then on: nobody may need one. */
export function freeMemory(bytes: Buffer): void {
  if (bytes.buffer.byteLength >= FREE_FROM_BYTES) {
    native.freeMemory(bytes);
  }
}

/**
 * Lets the process keep up to `bytes` (a heap of the allocator's) of freed memory for its next blocks, for the rest of its life. Without it every
 * block of events is made of fresh pages, which cost a sidecar more than copying and checking the events.
 */
export function keepFreedMemory(bytes: number): void {
  native.keepFreedMemory(bytes);
}
