// A sidecar with everything that comes from the world outside: access rule, limits, clock, identity.
import type { Logger } from "pino";
import type { WriterIdentity } from "../log/beat.ts";
import { systemAccess, type Users } from "../operate/access.ts";
import { systemClock } from "../operate/clock.ts";
import type { Config } from "../operate/config.ts";
import { VERSION } from "../operate/version.ts";
import { Sidecar } from "../session/sidecar.ts";
import type { Kv } from "../store/kv.ts";
import { EVENT_BYTES_MAX, RING_BYTES_DEFAULT } from "../wire/constants.ts";
import { passingWriter } from "./instance.ts";

const SESSIONS_DEFAULT = 10_000;
const HANDSHAKE_TIMEOUT_MS = 30_000;
const STALL_TIMEOUT_MS = 60_000;

export interface StartOptions {
  readonly kv: Kv;
  /** Who writes; by default somebody new, who ends with this process. */
  readonly writer?: WriterIdentity;
  readonly socketPath: string;
  readonly logger: Logger;
  readonly limits?: Config["limits"];
  readonly users?: Users;
  /** Of each direction of a session's shared memory; null for none, by default the usual size. */
  readonly ringBytes?: number | null;
  /** False only in benchmarks (`LogsOptions`). */
  readonly digests?: boolean;
}

/** Starts a sidecar of this process. The store stays the caller's. */
export function startSidecar(options: StartOptions): Promise<Sidecar> {
  const { kv, writer = passingWriter(), socketPath, logger, limits, users, ringBytes = RING_BYTES_DEFAULT, digests = true } = options;
  return Sidecar.start({
    kv,
    socketPath,
    access: systemAccess(users),
    limits: {
      sessions: limits?.sessions ?? SESSIONS_DEFAULT,
      eventBytes: limits?.eventBytes ?? EVENT_BYTES_MAX,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      stallTimeoutMs: STALL_TIMEOUT_MS,
    },
    clock: systemClock,
    log: logger,
    writer,
    version: VERSION,
    ringBytes,
    digests,
  });
}
