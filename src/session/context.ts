// What every session needs from the sidecar it runs in: the logs, the rules, the clock, and somewhere to report to.
import type { Clock } from "../log/clock.ts";
import type { Logs } from "../log/logs.ts";
import type { ShipKind } from "../ship.ts";
import type { Rings } from "../transport/rings.ts";
import type { Transport } from "../transport/transport.ts";

export interface Peer {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** Who may do what (the configuration decides; src/operate implements it). */
export interface Access {
  mayConnect(uid: number): boolean;
  mayUse(uid: number, ship: string): boolean;
  /** May retire, forget and fence, and see every ship. */
  mayAdminister(uid: number): boolean;
}

export interface Limits {
  readonly sessions: number;
  readonly eventBytes: number;
  readonly handshakeTimeoutMs: number;
  readonly stallTimeoutMs: number;
}

/** Structured logging; never given event bytes. */
export interface SessionLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export type SessionRole = "handshake" | "write" | "read" | "admin";

/** A session as `status` shows it. */
export interface SessionStatus {
  readonly session: number;
  readonly ship: string | null;
  readonly kind: ShipKind | null;
  readonly role: SessionRole;
  readonly version: number | null;
  readonly transport: Transport["name"];
  readonly uid: number;
  readonly pid: number;
  readonly sinceMs: number;
}

export interface Context {
  readonly logs: Logs;
  readonly access: Access;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: SessionLog;
  /** Null where sessions stay on their sockets. */
  readonly rings: Rings | null;
  /** Answers an administration request; `more` sends progress before the answer. */
  admin(request: unknown, uid: number, session: number, more: (progress: object) => void): Promise<object>;
}

/** The versions of the protocol spoken here, as the first block of the handshake names them. */
export const VERSIONS = [0, 1] as const;
