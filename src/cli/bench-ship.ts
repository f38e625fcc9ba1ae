// The scratch ship of `seguro bench`: a fake moon that does not exist yet, and that is gone afterwards.
import { randomBytes } from "node:crypto";
import type { Client } from "../client/client.ts";
import { makeShip, shipNumber } from "../ship.ts";
import { SeguroError } from "../wire/errors.ts";
import { readList, readRetire, readStatus } from "./answers.ts";
import { askShips } from "./ask-ships.ts";
import { CliError } from "./failure.ts";

/** All scratch ships are moons of ~sipmun-balbyn ("benc"), so that one left by a run that was killed can be told from others. */
const PLANET = 0x62656e63n;
const PLANET_BITS = 32n;
const MOON_BYTES = 4;
const NAMES_TRIED = 100;
const SETTLE_ATTEMPTS = 100;
const SETTLE_PAUSE_MS = 100;
const SETTLE_LOOK_MS = 4;
/** So many looks without a change: a sidecar that computes no digests. */
const SETTLE_LOOKS = 100;
/** The session that wrote the ship has just gone. */
const PASSING = new Set(["ship-busy", "claim-settling"]);

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Chosen {
  readonly name: string;
  readonly left: readonly string[];
}

function randomMoon(): string {
  const moon = BigInt(randomBytes(MOON_BYTES).readUInt32LE(0) || 1);
  return makeShip((moon << PLANET_BITS) | PLANET, "fake").name;
}

function isMoonOfOurs(name: string): boolean {
  const number = shipNumber(name) ?? 0n;
  return number >> PLANET_BITS !== 0n && (number & ((1n << PLANET_BITS) - 1n)) === PLANET;
}

/**
 * A name that no ship of this sidecar has, fake or real. Of forgotten ships their number of logs stays, so one of an earlier run is taken before
 * a new one. `left` are those of runs that could not end properly.
 */
async function chooseName(admin: Client): Promise<Chosen> {
  const { ships } = readList(await askShips(admin, { verb: "list" }));
  const ours = ships.filter(({ ship, kind }) => kind === "fake" && isMoonOfOurs(ship));
  const left = ours.filter(({ logs }) => logs.length > 0).map(({ ship }) => ship);
  const taken = new Set(ships.map(({ ship }) => ship));
  const forgotten = ours.find(
    ({ ship, logs, writer }) => logs.length === 0 && writer === null && ships.filter((each) => each.ship === ship).length === 1,
  );
  if (forgotten !== undefined) {
    return { name: forgotten.ship, left };
  }
  for (let tried = 0; tried < NAMES_TRIED; tried++) {
    const name = randomMoon();
    if (!taken.has(name)) {
      return { name, left };
    }
  }
  throw new CliError("bench-no-name", "no free name for a scratch ship was found", "");
}

async function retireSettled(admin: Client, ship: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      return readRetire(await admin.admin({ verb: "retire", ship, kind: "fake" })).log;
    } catch (error) {
      if (!(error instanceof SeguroError && PASSING.has(error.code)) || attempt === SETTLE_ATTEMPTS) {
        throw error;
      }
    }
    await pause(SETTLE_PAUSE_MS);
  }
}

export class ScratchShip {
  readonly name: string;
  /** Scratch ships of earlier runs that still have events. */
  readonly left: readonly string[];
  readonly #admin: Client;
  #nextId = 1;
  #isBegun = false;

  private constructor({ name, left }: Chosen, admin: Client) {
    this.name = name;
    this.left = left;
    this.#admin = admin;
  }

  /** Chooses a name; nothing is written yet. The session must be an administrator's and outlive the ship. */
  static async choose(admin: Client): Promise<ScratchShip> {
    return new ScratchShip(await chooseName(admin), admin);
  }

  /** The id of the next event, which a job must find to be the log's next one too: nobody else may have written. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Before a session may create its log. */
  begin(): void {
    this.#isBegun = true;
  }

  /** So many events were acknowledged. */
  grow(events: number): void {
    this.#nextId += events;
  }

  /** Somebody else has written to it: from now on it is left alone. */
  disown(): void {
    this.#isBegun = false;
  }

  /** Waits until the session before has gone and its digests are computed, which would weigh on the next turn. */
  async settle(): Promise<void> {
    let looksWithoutChange = 0;
    for (let seen = -1n; looksWithoutChange < SETTLE_LOOKS; ) {
      const { ships } = readStatus(await askShips(this.#admin, { verb: "status", ship: this.name, kind: "fake" }));
      const log = ships[0]?.logs.find((each) => each.log === ships[0]?.currentLog);
      const digestId = log?.digest?.id ?? 0n;
      if (ships[0]?.writer === null && digestId >= (log?.height ?? 0n)) {
        return;
      }
      looksWithoutChange = digestId === seen ? looksWithoutChange + 1 : 0;
      seen = digestId;
      await pause(SETTLE_LOOK_MS);
    }
  }

  /** Ends its log and deletes it; the next event begins a new one. */
  async clear(): Promise<void> {
    if (!this.#isBegun) {
      return;
    }
    const log = await retireSettled(this.#admin, this.name);
    await this.#admin.admin({ verb: "forget", ship: this.name, kind: "fake", log, confirm: this.name });
    this.#isBegun = false;
    this.#nextId = 1;
  }
}
