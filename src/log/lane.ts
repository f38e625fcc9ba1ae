// When a session's appends may go to the store without coming by JavaScript, and the change from one way to the other (docs/lane.md).
import type { LaneEnd, LanePort } from "../native/ring-lane.ts";
import type { LaneStore } from "../store/kv.ts";
import { keys } from "../store/layout.ts";
import { encodeBlockHeader } from "./block.ts";
import type { Claim } from "./claim.ts";
import { BLOCK_BYTES, IN_FLIGHT_BYTES } from "./limits.ts";

/** The writer, who has the appends while there is no lane. */
export interface LaneHost {
  /** False while a unit is half way, and once nothing more is taken in. */
  mayHold(): boolean;
  /** Everything taken in has ended, its digests too, and nothing else is being committed. Whoever is not quiet says so once he is. */
  isQuiet(): boolean;
  /** The appends are the writer's again, unless it has failed. */
  ended(end: LaneEnd): void;
}

type State = "off" | "holding" | "held" | "on";

export class LaneSwitch {
  readonly #port: LanePort;
  readonly #store: LaneStore;
  readonly #claim: Claim;
  readonly #host: LaneHost;
  #state: State = "off";
  #waiters: (() => void)[] = [];

  constructor(port: LanePort, store: LaneStore, claim: Claim, host: LaneHost) {
    this.#port = port;
    this.#store = store;
    this.#claim = claim;
    this.#host = host;
  }

  /** A lane is wished for: the session is held as soon as that is possible, which it may be now. */
  want(): void {
    if (this.#state === "off" && this.#claim.log.height > 0n && this.#host.mayHold()) {
      this.#state = "holding";
      this.#port.hold({ held: () => this.#held(), rose: () => this.#rose(), ended: (end) => this.#ended(end) });
    }
  }

  /** Something that a lane had to wait for may have passed. */
  tryStart(): void {
    if (this.#state !== "held") {
      return;
    }
    const { log } = this.#claim;
    const quiet = this.#host.isQuiet();
    // A chain that has stopped short would never be waited out.
    if (!this.#host.mayHold() || (quiet && log.pair.id !== log.height)) {
      this.#state = "off";
      this.#port.unhold();
    } else if (quiet) {
      this.#start();
    }
  }

  /** Resolves when no lane is on; whoever wants to keep it so must not be quiet. */
  async stop(): Promise<void> {
    while (this.#state === "on") {
      this.#port.stop();
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #held(): void {
    this.#state = "held";
    this.tryStart();
  }

  #start(): void {
    const { log, check, epoch } = this.#claim;
    const { name, height, pair } = log;
    if (check.value === null) {
      throw new Error("invariant: a claim without an epoch record");
    }
    const header = { name, epoch, firstId: 0n, count: 0n, bytes: 0n, floor: 0n, pair, manifest: null };
    const started = this.#port.start({
      store: this.#store,
      blocksPrefix: keys.blocks(name),
      check: { key: check.key, value: check.value },
      header: encodeBlockHeader(header),
      height,
      digest: pair.digest,
      blockBytes: BLOCK_BYTES,
      inFlightBytes: IN_FLIGHT_BYTES,
    });
    this.#state = started ? "on" : "off";
    if (started) {
      log.askLane(() => this.#port.height());
    }
  }

  /** Reading the height is what lets those who follow the log hear of it. */
  #rose(): void {
    void this.#claim.log.height;
  }

  #ended(end: LaneEnd): void {
    const { log } = this.#claim;
    log.askLane(() => end.at);
    // The last answer, taken in now.
    this.#rose();
    log.askLane(null);
    this.#state = "off";
    this.#host.ended(end);
    for (const wake of this.#waiters.splice(0)) {
      wake();
    }
  }
}
