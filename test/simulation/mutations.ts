// Deliberate faults in the shipped code: each must make simulated worlds fail. Texts are patched in a copy (tree.ts); what is sent to an engine
// is changed on its way.
import type { Patch } from "./tree.ts";

export interface MutationOfCode {
  readonly name: string;
  readonly patches?: readonly Patch[];
  /** The name of a wrap in wraps.ts. */
  readonly wrap?: "uncheckedBlocks" | "blindToEpochs" | "otherBoundaries";
}

function patch(file: string, from: string, to: string): Patch {
  return { file, from, to };
}

const engine = "src/store/foundationdb/engine.ts";
const claim = "src/log/claim.ts";
const sealer = "src/log/sealer.ts";

export const MUTATIONS: readonly MutationOfCode[] = [
  { name: "blocks are committed without the epoch check", wrap: "uncheckedBlocks" },
  { name: "transactions do not see conflicts on epoch records", wrap: "blindToEpochs" },
  { name: "a block that was sent before is sent with other boundaries", wrap: "otherBoundaries" },
  { name: "a failed check counts as committed", patches: [patch(engine, 'return "check-failed";', "return this.#noteCommit();")] },
  {
    name: "an unknown outcome is taken for success",
    patches: [
      patch(engine, "attempts.inDoubt = true;", "return true;"),
      patch(engine, "await this.#send(transaction, attempts);", "if (await this.#send(transaction, attempts)) return this.#noteCommit();"),
    ],
  },
  { name: "an unknown outcome is taken for failure", patches: [patch(engine, "attempts.inDoubt = true;", "throw error;")] },
  {
    name: "whatever lies at the witness's key proves the commit",
    patches: [patch(engine, "value?.equals(Buffer.concat(put.value)) === true", "value !== null")],
  },
  {
    name: "what a commit checked counts as known at its own version",
    patches: [patch("src/store/foundationdb/known.ts", "committed.readBigUInt64BE(0) - 1n", "committed.readBigUInt64BE(0)")],
  },
  {
    name: "blocks are acknowledged with the first of those in flight",
    patches: [
      patch(sealer, "sealed.durable = true;", "for (const one of this.#inFlight) { one.durable = true; if (one === sealed) break; }"),
    ],
  },
  {
    name: "the first commit of a log is not alone",
    patches: [
      patch(sealer, "return empty ? 1 : limits.commitsInFlightPerLog;", "return limits.commitsInFlightPerLog;"),
      patch("src/log/creation.ts", "return this.#carried && !this.#ordered;", "return false;"),
    ],
  },
  { name: "the floor is what was sealed", patches: [patch(sealer, "floor: log.height,", "floor: firstId - 1n,")] },
  { name: "leftovers are not cut", patches: [patch(claim, "if (cutFrom !== null) {", "if (cutFrom === 0n) {")] },
  {
    name: "the cut begins a block too late",
    patches: [patch(claim, "range(keys.block(name, cutFrom),", "range(keys.block(name, cutFrom + 1n),")],
  },
  {
    name: "the cut begins a block too early",
    patches: [
      patch("src/log/tail.ts", "cutFrom = header.firstId;", "cutFrom = headers[Math.max(0, headers.indexOf(header) - 1)].firstId;"),
    ],
  },
  {
    name: "gaps are not seen",
    patches: [patch("src/log/tail.ts", "header.firstId !== height + 1n || header.epoch < epoch", "header.epoch < epoch")],
  },
  {
    name: "a claim is released before its commits have ended",
    patches: [
      patch(
        "src/log/logs.ts",
        "await writer.close();\n    await this.#letGo(writer.claim);",
        "await this.#letGo(writer.claim);\n    await writer.close();",
      ),
    ],
  },
  {
    name: "a beat is not renewed",
    patches: [patch("src/log/beat.ts", "BEAT_EVERY_MS = 2_000", "BEAT_EVERY_MS = 2_000_000")],
  },
  {
    name: "staged pieces without a manifest are left",
    patches: [patch(claim, "range(staged, stagedEnd);", "")],
  },
  {
    name: "a manifest does not wait for its pieces",
    patches: [patch("src/log/staging.ts", "await this.quiet();\n    this.#requireWhole();", "")],
  },
  {
    name: "a claim does not check the record that it replaces",
    patches: [patch(claim, "checks: [{ key, value: before }], writes", "checks: [], writes")],
  },
  { name: "a lease of next to nothing", patches: [patch("src/log/beat.ts", "LEASE_MS = 10_000", "LEASE_MS = 100")] },
  {
    name: "a beat that moves is taken for one that stands still",
    patches: [patch("src/log/observe.ts", 'return { state: "alive", value };', 'return { state: "still", value };')],
  },
  {
    name: "a retired log's number is given again",
    patches: [patch("src/log/retirement.ts", "shipRecord(0, nextLog, moveOf(existing))", "shipRecord(0, nextLog - 1, moveOf(existing))")],
  },
];
