// Who may do what: the sidecar's own user everything, the users of the configuration their own ships, nobody else anything.
import { readFileSync } from "node:fs";
import { shipNumber } from "../ship.ts";
import { ConfigError } from "./config.ts";

/** What one user may use: every ship and all administration, or these ships (their numbers, real and fake alike). */
export type Grant = "everything" | ReadonlySet<bigint>;

export interface Access {
  /** The grant of a connecting user, or null for one who may not connect. */
  grant(uid: number): Grant | null;
  /** Whether users other than the sidecar's own may connect at all: the socket's folder must let them through then. */
  readonly shared: boolean;
}

/** True when a grant covers this ship. */
export function mayUse(grant: Grant, ship: bigint): boolean {
  return grant === "everything" || grant.has(ship);
}

/** True for the users who may administer (retire, forget, fence, and see every ship). */
export function mayAdminister(grant: Grant): boolean {
  return grant === "everything";
}

/** The uid of a user name, from /etc/passwd; null when it is not there. */
function uidOf(name: string, passwd: string): number | null {
  const line = passwd.split("\n").find((entry) => entry.startsWith(`${name}:`));
  const uid = line?.split(":")[2];
  return uid === undefined || !/^\d+$/.test(uid) ? null : Number(uid);
}

/**
 * The rule for a configuration's `users`. Keys are uids in decimal or names in `passwd` (the text of /etc/passwd). Throws a `ConfigError`
 * for a name that is nobody's.
 */
export function makeAccess(ownUid: number, users: Readonly<Record<string, readonly string[]>>, passwd: string): Access {
  const grants = new Map<number, Set<bigint>>();
  for (const [user, ships] of Object.entries(users)) {
    const uid = /^\d+$/.test(user) ? Number(user) : uidOf(user, passwd);
    if (uid === null) {
      throw new ConfigError(`"users.${user}": there is no user of this name`, "name a user of /etc/passwd, or give the uid as a number");
    }
    const numbers = ships.map(shipNumber).filter((number) => number !== null);
    grants.set(uid, new Set([...(grants.get(uid) ?? []), ...numbers]));
  }
  return {
    grant: (uid) => (uid === ownUid ? "everything" : (grants.get(uid) ?? null)),
    shared: [...grants.keys()].some((uid) => uid !== ownUid),
  };
}

/** The rule for this process's own user and a configuration. */
export function systemAccess(users: Readonly<Record<string, readonly string[]>> = {}): Access {
  const passwd = Object.keys(users).some((user) => !/^\d+$/.test(user)) ? readFileSync("/etc/passwd", "utf8") : "";
  return makeAccess(process.getuid?.() ?? 0, users, passwd);
}
