// Group commit: what waits, of all ships, goes into the next commits of the store, as large and as many at once as its engine wants them.
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
  readonly #idleWaiters: (() => void)[] = [];

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
    const run = (): void => {
      this.#scheduled = false;
      this.#runGroups();
    };
    // Where a group has one member, waiting for others gains nothing: only what the event in hand still adds is waited for.
    if (this.#kv.limits.groupMembers === 1) queueMicrotask(run);
    else this.#defer(run);
  }

  #collect(): SizedCommit[] {
    const group: SizedCommit[] = [];
    const { commitBytes, groupMembers } = this.#kv.limits;
    let budgetBytes = commitBytes;
    for (const source of this.#waiting) {
      if (budgetBytes <= 0 || group.length >= groupMembers) {
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

  /** As many calls of the engine as it takes at once, and as there is something for. */
  #runGroups(): void {
    do {
      const group = this.#collect();
      if (group.length > 0) {
        void this.#runGroup(group);
      }
    } while (this.#waiting.size > 0 && this.#running < this.#kv.limits.commitsInFlight);
    this.#sayIdle();
  }

  async #runGroup(group: readonly SizedCommit[]): Promise<void> {
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
    if (this.#waiting.size > 0) {
      this.#schedule();
    } else {
      this.#sayIdle();
    }
  }

  #sayIdle(): void {
    if (this.#running === 0 && this.#waiting.size === 0) {
      for (const wake of this.#idleWaiters.splice(0)) {
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
