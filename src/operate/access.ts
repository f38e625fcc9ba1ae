// Who may do what: the sidecar's own user everything, the users of the configuration their own ships, nobody else anything.
import { readFileSync } from "node:fs";
import { ConfigError } from "./config-error.ts";

/** The rule, as sessions ask it (the kernel names the uid of every peer). */
export interface AccessRule {
  mayConnect(uid: number): boolean;
  /** `ship` is a `@p`; a real and a fake ship of one name count as one here. */
  mayUse(uid: number, ship: string): boolean;
  /** Retire, forget and fence, and see every ship. */
  mayAdminister(uid: number): boolean;
  /** Whether users other than the sidecar's own may connect: the socket must let them through then. */
  readonly shared: boolean;
}

export type Users = Readonly<Record<string, readonly string[]>>;

const UID = /^\d+$/;

/** The uid of a user name, from the text of /etc/passwd; null when it is not there. */
function uidOf(name: string, passwd: string): number | null {
  const line = passwd.split("\n").find((entry) => entry.startsWith(`${name}:`));
  const uid = line?.split(":")[2];
  return uid === undefined || !UID.test(uid) ? null : Number(uid);
}

/**
 * The rule for a configuration's `users`: keys are uids in decimal, or names in `passwd` (the text of /etc/passwd). Throws a `ConfigError`
 * for a name that is nobody's.
 */
export function makeAccess(ownUid: number, users: Users, passwd: string): AccessRule {
  const grants = new Map<number, Set<string>>();
  for (const [user, ships] of Object.entries(users)) {
    const uid = UID.test(user) ? Number(user) : uidOf(user, passwd);
    if (uid === null) {
      throw new ConfigError(`"users.${user}": there is no user of this name`, "name a user of /etc/passwd, or give the uid as a number");
    }
    grants.set(uid, new Set([...(grants.get(uid) ?? []), ...ships]));
  }
  return {
    mayConnect: (uid) => uid === ownUid || grants.has(uid),
    mayUse: (uid, ship) => uid === ownUid || grants.get(uid)?.has(ship) === true,
    mayAdminister: (uid) => uid === ownUid,
    shared: [...grants.keys()].some((uid) => uid !== ownUid),
  };
}

/** The rule for this process's own user and a configuration. */
export function systemAccess(users: Users = {}): AccessRule {
  const named = Object.keys(users).some((user) => !UID.test(user));
  return makeAccess(process.getuid?.() ?? 0, users, named ? readFileSync("/etc/passwd", "utf8") : "");
}
