// Group commit: everything that waits, of all ships, goes into the next commit of the store.
import { StoreError } from "../store/errors.ts";
import type { Commit, CommitOutcome, Kv } from "../store/kv.ts";

/** One who has something to commit. Its methods are called by the committer, never after `refused` for the same claim. */
export interface CommitSource {
  /** Gives the next commit of about `budgetBytes` at most, or null when there is nothing (more) to commit now. Called until it says null. */
  take(budgetBytes: number): SizedCommit | null;
}

export interface SizedCommit {
  readonly commit: Commit;
  readonly lengthBytes: number;
  /** The commit is durable, or its check failed. */
  settled(outcome: CommitOutcome): void;
  /** The store gave an error: whether it is durable is unknown. */
  failed(error: StoreError): void;
}

export class Committer {
  readonly #kv: Kv;
  /** Runs its argument soon, after what the event loop has in hand; lets sessions that became readable together share a commit. */
  readonly #defer: (run: () => void) => void;
  readonly #waiting = new Set<CommitSource>();
  #running = 0;
  #scheduled = false;
  #idleWaiters: (() => void)[] = [];

  constructor(kv: Kv, defer: (run: () => void) => void) {
    this.#kv = kv;
    this.#defer = defer;
  }

  /** `source` has something to commit. Cheap when it was said before. */
  enqueue(source: CommitSource): void {
    this.#waiting.add(source);
    this.#schedule();
  }

  /** Commits one thing by itself (in a group with whatever waits) and resolves when it is durable or its check failed. */
  submit(commit: Commit, lengthBytes: number): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      let given = false;
      this.enqueue({
        take: () => {
          if (given) {
            return null;
          }
          given = true;
          return { commit, lengthBytes, settled: resolve, failed: reject };
        },
      });
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running > 0 || this.#waiting.size > 0) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#running >= this.#kv.limits.commitsInFlight) {
      return;
    }
    this.#scheduled = true;
    this.#defer(() => {
      this.#scheduled = false;
      void this.#runGroup();
    });
  }

  #collect(): SizedCommit[] {
    const group: SizedCommit[] = [];
    let budgetBytes = this.#kv.limits.commitBytes;
    for (const source of this.#waiting) {
      if (budgetBytes <= 0) {
        break;
      }
      const taken = source.take(budgetBytes);
      // Whoever gave something goes to the end of the queue, so that one busy ship cannot keep the others waiting.
      this.#waiting.delete(source);
      if (taken !== null) {
        group.push(taken);
        budgetBytes -= taken.lengthBytes;
        this.#waiting.add(source);
      }
    }
    return group;
  }

  async #runGroup(): Promise<void> {
    const group = this.#collect();
    if (group.length > 0) {
      this.#running++;
      const outcomes = await this.#commit(group);
      this.#running--;
      group.forEach((member, index) => {
        const outcome = outcomes[index];
        if (typeof outcome === "string") {
          member.settled(outcome);
        } else {
          member.failed(outcome ?? new StoreError("store-failed", "the store did not say how a commit ended", "please report this"));
        }
      });
    }
    if (this.#waiting.size > 0) {
      this.#schedule();
    } else if (this.#running === 0) {
      const waiters = this.#idleWaiters;
      this.#idleWaiters = [];
      for (const wake of waiters) {
        wake();
      }
    }
  }

  async #commit(group: readonly SizedCommit[]): Promise<(CommitOutcome | StoreError)[]> {
    try {
      return await this.#kv.commit(group.map((member) => member.commit));
    } catch (error) {
      const failure = error instanceof StoreError ? error : new StoreError("store-failed", String(error), "see the sidecar's log", error);
      return group.map(() => failure);
    }
  }
}
