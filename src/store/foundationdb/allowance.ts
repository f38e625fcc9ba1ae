// How much may be committed without asking the cluster for a read version: a cluster at its limit slows its clients by keeping them waiting for one.

/** Enough that single small commits hardly ever ask; so little that large ones always do. */
const COMMITS_MAX = 64;
const BYTES_MAX = 1024 * 1024;

/**
 * FoundationDB counts read versions, sees what they lead to, and gives out fewer when storage servers fall behind. Commits at a known version ask for
 * none: one ship could fill a cluster's queues until nobody can read any more. So each read version pays for so many commits and bytes, and no more.
 */
export class Allowance {
  #commits = 0;
  #bytes = 0;

  /** Whether a commit of so many bytes may do without a read version; counts it. */
  take(lengthBytes: number): boolean {
    if (this.#commits >= COMMITS_MAX || this.#bytes + lengthBytes > BYTES_MAX) return false;
    this.#commits++;
    this.#bytes += lengthBytes;
    return true;
  }

  /** The cluster has given a read version. */
  renew(): void {
    this.#commits = 0;
    this.#bytes = 0;
  }
}
