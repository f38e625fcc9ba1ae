// Who is at the other end of a Unix socket.
import { addon } from "./addon.ts";

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * What the kernel noted when the peer connected (SO_PEERCRED). Throws an Error with `code`: EBADF for a closed descriptor, ENOTSOCK for
 * something else than a socket. A socket without a peer of this machine gives pid 0.
 */
export const peerCredentials = (addon as { peerCredentials(fd: number): PeerCredentials }).peerCredentials;
