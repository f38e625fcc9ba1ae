// Simulated time: events in order, each followed by everything that its promises set off. Nothing here looks at a real clock.
import type { Chance } from "./chance.ts";
import { holdNative } from "./native-turns.ts";

interface Planned {
  readonly atMs: number;
  /** Decides between events of the same moment. */
  readonly order: number;
  readonly run: () => void | Promise<void>;
}

/** Whom an event is for: one who may have died, or stand still. */
export interface Recipient {
  deliver(run: () => void): void;
}

const NATIVE_MS = 0.5;
/** More events than any run needs: something goes round without end. */
const EVENTS_MAX = 400_000;

/** Resolves when all promises that can be settled have been. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class Scheduler {
  readonly #chance: Chance;
  /** A heap: each entry is before those at 2i + 1 and 2i + 2. */
  readonly #heap: Planned[] = [];
  #nowMs = 0;
  #planned = 0;
  #events = 0;
  /** Whose event runs now: its native calls are its own. */
  #running: Recipient | null = null;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many events have run. */
  get events(): number {
    return this.#events;
  }

  /** Runs `run` after `delayMs`. */
  after(delayMs: number, run: () => void | Promise<void>): void {
    this.#push({ atMs: this.#nowMs + Math.max(0, delayMs), order: this.#planned++, run });
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Calls `run` for `recipient`, whose native calls it makes. Only from an event, and once in it. */
  runAs(recipient: Recipient, run: () => void): void {
    this.#running = recipient;
    run();
  }

  /** Runs events until `ended`, or the time is over; false when nothing is left to happen, or too much did. */
  async run(ended: () => boolean, untilMs: number): Promise<boolean> {
    holdNative((answer) => this.#holdNative(answer));
    try {
      await quiet();
      while (!ended()) {
        const next = this.#pop();
        if (next === null || this.#events >= EVENTS_MAX || next.atMs > untilMs) {
          return false;
        }
        this.#events++;
        this.#nowMs = next.atMs;
        await next.run();
        await quiet();
        this.#running = null;
      }
      return true;
    } finally {
      holdNative(null);
    }
  }

  #holdNative(answer: Promise<() => void>): void {
    const recipient = this.#running;
    this.after(this.#chance.around(NATIVE_MS), async () => {
      const give = await answer;
      if (recipient === null) {
        give();
      } else {
        recipient.deliver(give);
      }
    });
  }

  #push(event: Planned): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent])) {
        break;
      }
      heap[at] = heap[parent] as Planned;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Planned | null {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) {
      return null;
    }
    if (heap.length > 0) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child + 1 < heap.length && before(heap[child + 1] as Planned, heap[child])) {
          child++;
        }
        if (child >= heap.length || !before(heap[child] as Planned, last)) {
          break;
        }
        heap[at] = heap[child] as Planned;
        at = child;
      }
      heap[at] = last;
    }
    return first;
  }
}

function before(one: Planned, other: Planned | undefined): boolean {
  return other !== undefined && (one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order));
}
