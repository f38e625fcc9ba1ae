// What the tests on real clusters share: sidecars with a cluster file and a state folder of their own, as on machines of their own; and the last judgement.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Test } from "tap";
import { Client } from "../../src/client/client.ts";
import { splitRecords } from "../../src/native/records.ts";
import { type Ended, type Serving, seguroJson, serve } from "../cli/command.ts";
import { check } from "../simulation/checker.ts";
import { type FinalLog, type History, lineOf, type Mark, markOf } from "../simulation/history.ts";
import type { Cluster } from "./cluster.ts";
import type { Place } from "./runtime.ts";

/** For dice; said by each test, and given again by SEGURO_SEED. */
export const seed = Number(process.env.SEGURO_SEED ?? process.pid);

/** For longer runs: multiplies rounds, and above 1 huge units are interrupted wherever they can be. The workflow's job for FoundationDB says 2. */
export const effort = Number(process.env.SEGURO_FDB_EFFORT ?? 1);

const RECORD_HEADER_BYTES = 24;

/** A folder whose path is short enough for a socket's. */
export function shortFolder(t: Test): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), "seguro-"));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** One machine with a sidecar that may be started again and again: the same state folder, socket and cluster file. */
export class Machine {
  readonly name: string;
  readonly socket: string;
  readonly store: string;
  readonly clusterFile: string;
  readonly #state: string;
  #starts = 0;
  #serving: Serving | null = null;
  #ended: Promise<Ended> | null = null;

  constructor(t: Test, cluster: Cluster, name: string, prefix: string) {
    const dir = shortFolder(t);
    this.name = name;
    this.socket = path.join(dir, "s");
    this.#state = path.join(dir, "state");
    this.clusterFile = cluster.copyOfClusterFile();
    this.store = `foundationdb:${this.clusterFile}?prefix=${prefix}`;
    t.teardown(() => this.#serving?.process.kill("SIGKILL"));
  }

  async start(...more: string[]): Promise<void> {
    this.#starts++;
    const args = ["--socket", this.socket, "--store", this.store, "--state", this.#state, "--log-level", "warn", ...more];
    this.#serving = await serve(args);
  }

  /** Where runtimes connect; null while nothing runs. */
  place(): Place | null {
    return this.#serving === null ? null : { socket: this.socket, process: this.processName };
  }

  /** This start of the sidecar, as the history names it. */
  get processName(): string {
    return `${this.name}.${this.#starts}`;
  }

  get pid(): number {
    return this.#running().process.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#running().process.kill(signal);
  }

  /** Ends the sidecar; what it said is in the answer. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<Ended> {
    const serving = this.#running();
    this.#ended = serving.end(signal);
    const ended = await this.#ended;
    this.#serving = null;
    return ended;
  }

  /** Memory of the sidecar that is really there. */
  residentBytes(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  }

  #running(): Serving {
    if (this.#serving === null) {
      throw new Error(`no sidecar runs on ${this.name}`);
    }
    return this.#serving;
  }
}

/** Bytes of the whole records at the beginning. */
function wholeBytes(bytes: Buffer): number {
  let at = 0;
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const end = at + RECORD_HEADER_BYTES + Math.ceil(Number(bytes.readBigUInt64LE(at)) / 8) * 8;
    if (end > bytes.length) {
      break;
    }
    at = end;
  }
  return at;
}

/** The events of a record stream that comes in pieces. */
export async function* eventsOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<{ id: bigint; payload: Buffer }, void, void> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let wantedBytes = 0;
  for await (const piece of pieces) {
    held.push(piece);
    heldBytes += piece.length;
    if (heldBytes < wantedBytes) {
      continue;
    }
    const bytes = held.length === 1 ? piece : Buffer.concat(held);
    const whole = wholeBytes(bytes);
    yield* splitRecords(bytes.subarray(0, whole));
    const rest = bytes.subarray(whole);
    held = [rest];
    heldBytes = rest.length;
    wantedBytes = rest.length < 8 ? 0 : Number(rest.readBigUInt64LE(0));
  }
}

/** Everything a ship's log holds, as a client reads it, and what `verify` finds wrong. */
export async function finalLog(socket: string, ship: string): Promise<FinalLog> {
  const client = await Client.connect(socket, ship);
  const { height, log } = await client.open({ role: "read" });
  const events = new Map<bigint, Mark>();
  for await (const { id, payload } of eventsOf(client.read({ from: 1n }))) {
    events.set(id, markOf(payload));
  }
  const meta = new Map((await client.metaList()).map(({ key, value }) => [key.toString(), markOf(value)]));
  await client.close();
  const { code, json } = await seguroJson(["verify", ship, "--socket", socket]);
  const verified = code === 0 && Array.isArray(json.damage) && json.damage.length === 0 && json.id === String(height);
  const final = { ship, log, height, events, meta, wrong: verified ? [] : [`verify says ${JSON.stringify(json)}`] };
  return final;
}

/** Judges a history by what is left of the ships' logs. */
export async function judge(t: Test, history: History, machine: Machine, ships: readonly string[]): Promise<void> {
  const finals: FinalLog[] = [];
  for (const ship of ships) {
    finals.push(await finalLog(machine.socket, ship));
  }
  const wrong = check(history.entries, finals);
  const sessions = history.entries.filter(({ kind }) => kind === "opened").length;
  t.comment(finals.map(({ ship, height }) => `${ship}: ${height} events`).join(", "), `in ${sessions} sessions`);
  if (wrong.length > 0) {
    t.comment(
      history.entries
        .filter(({ kind }) => kind !== "sent" && kind !== "acknowledged")
        .map(lineOf)
        .join("\n"),
    );
  }
  t.same(wrong.slice(0, 20), [], `the promise was kept (seed ${seed})`);
}
