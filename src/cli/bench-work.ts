// The measuring of `seguro bench`: jobs of each size over stream and ring and their controls, in turns, on a scratch ship.
import { statSync } from "node:fs";
import path from "node:path";
import { type BenchOutcome, type BenchRequest, benchJob, RING_UNSUPPORTED } from "../native/bench.ts";
import { type Plan, ROUNDS, TRIP_EVENT_BYTES, TRIPS_MAX } from "./bench-plan.ts";
import type { Rate, Taken, Transport, TripSource, Trips } from "./bench-report.ts";
import type { ScratchShip } from "./bench-ship.ts";
import { CliError, Exit } from "./failure.ts";

const WARM_EVENTS = 500;
const WARM_EVENT_BYTES = 4000;
const WARM_SECONDS = 2;
const CONNECTION_LOST = -4;
/** The log is somebody else's then. */
const NOT_OURS = new Set(["bench-log-changed", "ship-busy"]);
/** Controls are quick: so they take long enough to be measured. */
const CONTROL_BYTES_MIN = 128_000_000;

/** One turn of one series. */
interface Turn<Name> {
  readonly name: Name;
  take(): Promise<BenchOutcome | null>;
}

function failed({ errorCode, errorName, errorText, isSystem }: BenchOutcome): CliError {
  if (isSystem || errorName === "") {
    const code = errorCode === CONNECTION_LOST ? "connection-lost" : "bench-failed";
    return new CliError(code, `the measurement failed: ${errorText}`, "look into the sidecar's log, then run the command again");
  }
  return new CliError(errorName, `the measurement failed: ${errorText}`, "", Exit.REFUSED);
}

function megabytesPerSecond({ bytes, seconds }: BenchOutcome): number {
  return bytes / 1e6 / seconds;
}

/** A file for flushes in the folder of an embedded store; null where the store is elsewhere. */
function flushFile(storeName: string): string | null {
  const folder = /^[a-z]+:(\/.+)$/.exec(storeName)?.[1];
  return folder !== undefined && statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true
    ? path.join(folder, `seguro-bench-${process.pid}.tmp`)
    : null;
}

export class BenchWork {
  readonly #plan: Plan;
  readonly #ship: ScratchShip;
  readonly #socket: string;
  readonly #flushFile: string | null;
  /** Stored into by the signal's handler. */
  readonly #stop: Int32Array;
  readonly #done: (bytes: number) => void;
  #transports: readonly Transport[] = ["stream"];
  #ringRefusal: string | null = null;
  #flushRefusal: string | null = null;
  #writtenBytes = 0;

  constructor(plan: Plan, ship: ScratchShip, socket: string, storeName: string, stop: Int32Array, done: (bytes: number) => void) {
    this.#plan = plan;
    this.#ship = ship;
    this.#socket = socket;
    this.#flushFile = flushFile(storeName);
    this.#stop = stop;
    this.#done = done;
  }

  /** Everything, size by size; the scratch ship's log is deleted after each, so that little lies in the store at one time. */
  async run(): Promise<Taken> {
    await this.#warm();
    const trips = await this.#trips();
    await this.#ship.clear();
    const appends: Rate[] = [];
    const replays: Rate[] = [];
    const controls: Rate[] = [];
    for (const size of this.#plan.sizes) {
      const rates = await this.#appends(size);
      appends.push(...rates.filter(({ series }) => series === "stream" || series === "ring"));
      controls.push(...rates.filter(({ series }) => series === "socket" || series === "memcpy"));
      replays.push(...(await this.#replays(size)));
      await this.#ship.clear();
    }
    return {
      transports: this.#transports,
      ringRefusal: this.#ringRefusal,
      flushRefusal: this.#flushRefusal,
      appends,
      replays,
      controls,
      trips,
      writtenBytes: this.#writtenBytes,
    };
  }

  /** Runs a job; throws when it failed, or when a signal has ended it. Refusals that only leave something out are the caller's. */
  async #job(request: Omit<BenchRequest, "secondsMax"> & { readonly secondsMax?: number }): Promise<BenchOutcome> {
    const outcome = await benchJob({ secondsMax: this.#plan.turnSeconds, ...request }, this.#stop);
    if (Atomics.load(this.#stop, 0) !== 0) {
      throw new CliError("interrupted", "interrupted; what was measured so far is not shown", "run the command again", Exit.INTERRUPTED);
    }
    const isRefusal = outcome.errorCode === RING_UNSUPPORTED || (request.job === "flush" && outcome.isSystem);
    if (outcome.errorCode !== 0 && !isRefusal) {
      if (NOT_OURS.has(outcome.errorName)) {
        this.#ship.disown();
      }
      throw failed(outcome);
    }
    return outcome;
  }

  async #write(
    job: "append" | "roundtrip",
    transport: Transport,
    events: number,
    eventBytes: number,
    seconds?: number,
  ): Promise<BenchOutcome> {
    const session = { path: this.#socket, ship: this.#ship.name, ring: transport === "ring", firstId: this.#ship.nextId };
    this.#ship.begin();
    const limit = seconds === undefined ? {} : { secondsMax: seconds };
    const outcome = await this.#job({ job, ...session, events, eventBytes, ...limit });
    this.#ship.grow(outcome.events);
    this.#writtenBytes += outcome.bytes;
    await this.#ship.settle();
    return outcome;
  }

  /** Unmeasured: the first calls of a sidecar that has just started are slow. Finds out whether there is shared memory. */
  async #warm(): Promise<void> {
    await this.#write("append", "stream", WARM_EVENTS, WARM_EVENT_BYTES, WARM_SECONDS);
    const ring = await this.#write("append", "ring", WARM_EVENTS, WARM_EVENT_BYTES, WARM_SECONDS);
    if (ring.errorCode === RING_UNSUPPORTED) {
      this.#ringRefusal = ring.errorText;
    } else {
      this.#transports = ["stream", "ring"];
    }
  }

  /** Takes all turns of a round, forwards and backwards in turn: what drifts meanwhile weighs on all of them alike. */
  async #rounds<Name extends string>(turns: readonly Turn<Name>[]): Promise<Map<Name, BenchOutcome[]>> {
    const taken = new Map<Name, BenchOutcome[]>(turns.map(({ name }) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) {
        const outcome = await turn.take();
        if (outcome !== null) {
          taken.get(turn.name)?.push(outcome);
        }
      }
    }
    return taken;
  }

  async #rates(eventBytes: number, turns: readonly Turn<Rate["series"]>[]): Promise<Rate[]> {
    const taken = await this.#rounds(turns);
    return [...taken].map(([series, outcomes]) => ({ series, eventBytes, runs: outcomes.map(megabytesPerSecond) }));
  }

  #appends(eventBytes: number): Promise<Rate[]> {
    const events = this.#plan.eventsOf(eventBytes);
    const subjects = this.#transports.map((name) => ({
      name,
      take: async () => {
        const outcome = await this.#write("append", name, events, eventBytes);
        this.#done(events * eventBytes);
        return outcome;
      },
    }));
    const controls = (["socket", "memcpy"] as const).map((name) => ({ name, take: () => this.#control(name, events, eventBytes) }));
    return this.#rates(eventBytes, [...subjects, ...controls]);
  }

  #control(job: "socket" | "memcpy", events: number, eventBytes: number): Promise<BenchOutcome> {
    return this.#job({ job, events: Math.max(events, Math.ceil(CONTROL_BYTES_MIN / eventBytes)), eventBytes });
  }

  /** Of what the appends of this size have left. */
  #replays(eventBytes: number): Promise<Rate[]> {
    const session = { path: this.#socket, ship: this.#ship.name };
    const turns = this.#transports.map((name) => ({
      name,
      take: () => this.#job({ job: "replay", ...session, ring: name === "ring", events: 0, eventBytes }),
    }));
    return this.#rates(eventBytes, turns);
  }

  async #trips(): Promise<Trips[]> {
    const echo = { job: "echo", events: TRIPS_MAX, eventBytes: TRIP_EVENT_BYTES } as const;
    const turns: Turn<TripSource>[] = [
      ...this.#transports.map((name) => ({ name, take: () => this.#write("roundtrip", name, TRIPS_MAX, TRIP_EVENT_BYTES) })),
      { name: "echo", take: () => this.#job(echo) },
      ...(this.#flushFile === null ? [] : [{ name: "flush", take: () => this.#flush(this.#flushFile ?? "") } as const]),
    ];
    const taken = await this.#rounds(turns);
    return [...taken]
      .filter(([, outcomes]) => outcomes.length > 0)
      .map(([source, outcomes]) => ({ source, micros: outcomes.flatMap(({ micros }) => [...micros]).toSorted((a, b) => a - b) }));
  }

  /** Null, with the reason kept, where this user may not write beside the store. */
  async #flush(file: string): Promise<BenchOutcome | null> {
    const outcome = await this.#job({ job: "flush", path: file, events: TRIPS_MAX, eventBytes: TRIP_EVENT_BYTES });
    if (outcome.errorCode === 0) {
      return outcome;
    }
    this.#flushRefusal = outcome.errorText;
    return null;
  }
}
