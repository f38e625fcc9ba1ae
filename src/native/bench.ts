// The native jobs of `seguro bench`: libseguro as a client over either transport, and bare controls. Each runs on a thread of libuv's pool.
import { addon } from "./addon.ts";

/** Through a session of libseguro of its own. */
export type ClientJob = "append" | "roundtrip" | "replay";
/** Without Seguro: a copy in memory, a Unix socket's throughput and round trip, a write and flush of one page. */
export type ControlJob = "memcpy" | "socket" | "echo" | "flush";

export interface BenchRequest {
  readonly job: ClientJob | ControlJob;
  /** The sidecar's socket; for `flush` the file to write, which must not exist and is removed. */
  readonly path?: string;
  readonly ship?: string;
  readonly ring?: boolean;
  /** The id of the first event: the log must end right before it, or the job refuses to add to it. */
  readonly firstId?: number;
  readonly events: number;
  readonly eventBytes: number;
  /** Nothing new is begun after so long. */
  readonly secondsMax: number;
}

export interface BenchOutcome {
  /** 0, a code of libseguro's (native/include/seguro.h), or an errno where `isSystem`. */
  readonly errorCode: number;
  readonly isSystem: boolean;
  /** The sidecar's name for its error, or "". */
  readonly errorName: string;
  readonly errorText: string;
  readonly events: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Of each round trip or flush. */
  readonly micros: Float64Array;
}

/** libseguro's code for shared memory that cannot be had. */
export const RING_UNSUPPORTED = -12;

const native = addon as { benchJob(request: Required<BenchRequest>, stop: Int32Array): Promise<BenchOutcome> };

/** Runs one job. It ends early when another value than 0 is stored into `stop`, and then says how far it came. */
export function benchJob(request: BenchRequest, stop: Int32Array): Promise<BenchOutcome> {
  return native.benchJob({ path: "", ship: "", ring: false, firstId: 1, ...request }, stop);
}
