// `seguro bench`: how fast the running sidecar is, here, over its stream and over shared memory, beside what the machine can do at best.
import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { VERSION } from "../operate/version.ts";
import { readStatus } from "./answers.ts";
import { askShips } from "./ask-ships.ts";
import { benchPage } from "./bench-html.ts";
import { type Plan, type PlanOptions, planOf } from "./bench-plan.ts";
import { type Report, reportJson, reportOf, reportText, type Taken } from "./bench-report.ts";
import { ScratchShip } from "./bench-ship.ts";
import { BenchWork } from "./bench-work.ts";
import { CliError, Exit, type ExitCode, failureOf, usageError } from "./failure.ts";
import { size } from "./format.ts";
import type { Output } from "./output.ts";
import { freeBytesOf } from "./status.ts";
import { socketOf, withAdmin } from "./target.ts";
import { run, withSocket } from "./verb.ts";

/** What is written without asking. */
const WRITTEN_BYTES_UNASKED = 2_000_000_000;
/** Of what lies in the store at one time: an engine needs more for its own bookkeeping. */
const FREE_FACTOR = 3;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

interface BenchOptions extends PlanOptions {
  readonly socket?: string;
  /** True: to stdout. A text: the file. */
  readonly json?: string | boolean;
  readonly html?: string;
  readonly quiet?: boolean;
  readonly yes?: boolean;
}

interface Store {
  readonly sidecarVersion: string;
  readonly store: string;
}

/** Says what will be written and where; refuses what is much unless it was agreed to, and what the disk has no room for. */
async function announce(plan: Plan, admin: Client, agreed: boolean, output: Output): Promise<Store> {
  const status = readStatus(await askShips(admin, { verb: "status" }));
  const store = status.store.name;
  const amount = `up to ${size(plan.writtenBytes)} (${size(plan.heldBytes)} at a time)`;
  if (plan.writtenBytes > WRITTEN_BYTES_UNASKED && !agreed) {
    throw usageError(`this would write ${amount} to ${store}`, "give --yes to agree, or less with --seconds or --bytes");
  }
  const freeBytes = await freeBytesOf(store);
  if (freeBytes !== null && freeBytes < plan.heldBytes * FREE_FACTOR) {
    throw new CliError(
      "bench-no-room",
      `${store} has ${size(freeBytes)} free on its disk, too little to write ${amount}`,
      "write less with --seconds or --bytes",
    );
  }
  output.note(`bench: writes ${amount} to ${store}`);
  return { sidecarVersion: status.version, store };
}

/** Deletes the scratch ship; when that fails, says how to do it by hand, and never hides why the run itself failed. */
async function clear(ship: ScratchShip, output: Output): Promise<void> {
  try {
    await ship.clear();
  } catch (error) {
    const how = `\`seguro retire ${ship.name} --fake\`, then \`seguro forget ${ship.name} --fake --log N\``;
    output.warn(`the scratch ship ${ship.name} (fake) is left in the store: ${failureOf(error).message}. Delete it: ${how}`);
  }
}

/** Runs `work` with a flag that the first signal sets; a second one ends the process at once. */
async function stoppable<Result>(ship: ScratchShip, output: Output, work: (stop: Int32Array) => Promise<Result>): Promise<Result> {
  const stop = new Int32Array(1);
  const ask = (): void => {
    if (Atomics.exchange(stop, 0, 1) !== 0) {
      output.warn(`the scratch ship ${ship.name} (fake) may be left in the store`);
      process.exit(Exit.INTERRUPTED);
    }
    output.note("bench: interrupted; deleting the scratch ship");
  };
  for (const signal of SIGNALS) {
    process.on(signal, ask);
  }
  try {
    return await work(stop);
  } finally {
    await clear(ship, output);
    for (const signal of SIGNALS) {
      process.removeListener(signal, ask);
    }
  }
}

/** Measures on a ship of its own. */
async function measure(plan: Plan, socket: string, store: string, ship: ScratchShip, output: Output): Promise<Taken> {
  output.note(`bench: the scratch ship is ${ship.name} (fake); it is retired and forgotten at the end`);
  const progress = output.progress("bench", plan.writtenBytes, "bytes");
  try {
    return await stoppable(ship, output, (stop) => {
      let doneBytes = 0;
      const done = (bytes: number): void => {
        doneBytes += bytes;
        progress.update(doneBytes);
      };
      return new BenchWork(plan, ship, socket, store, stop, done).run();
    });
  } finally {
    progress.stop();
  }
}

function writeFiles(report: Report, { json, html }: BenchOptions): void {
  if (typeof json === "string") {
    writeFileSync(json, `${JSON.stringify(reportJson(report), null, 2)}\n`);
  }
  if (html !== undefined) {
    writeFileSync(html, benchPage(report));
  }
}

async function bench(options: BenchOptions, output: Output): Promise<ExitCode> {
  const plan = planOf(options);
  const socket = socketOf(options.socket === undefined ? {} : { socket: options.socket });
  return await withAdmin({ socket }, (admin) => benchWith(admin, plan, socket, options, output));
}

async function benchWith(admin: Client, plan: Plan, socket: string, options: BenchOptions, output: Output): Promise<ExitCode> {
  const { sidecarVersion, store } = await announce(plan, admin, options.yes === true, output);
  const ship = await ScratchShip.choose(admin);
  if (ship.left.length > 0) {
    output.warn(`an earlier run left ${ship.left.join(", ")} (fake) in the store; \`seguro retire\` and \`seguro forget\` delete it`);
  }
  const startedAtMs = Date.now();
  const taken = await measure(plan, socket, store, ship, output);
  const report = reportOf(
    {
      version: VERSION,
      sidecarVersion,
      store,
      socket,
      ship: ship.name,
      date: new Date(startedAtMs).toISOString(),
      elapsedMs: Date.now() - startedAtMs,
    },
    taken,
  );
  writeFiles(report, options);
  output.result(reportJson(report), () => reportText(report));
  return Exit.OK;
}

export function addBench(program: Command): void {
  const command = program
    .command("bench")
    .description("measure the running sidecar on a scratch ship: appends, replay and round trips over stream and ring")
    .option("--json [file]", "print one JSON object (docs/cli.md) instead of text, or write it to a file as well")
    .option("--quiet", "print nothing but errors and warnings");
  withSocket(command)
    .option("--bytes <list>", "sizes of events, such as 100,10k,1m (default: 100,500,10k,100k,1m)")
    .option("--seconds <number>", "about how long it may measure, and the measure of how much it writes (default: 20)")
    .option("--html <file>", "write a page with plots, which needs no other file")
    .option("--yes", "agree to write more than 2 GB")
    .action((options: BenchOptions) =>
      run({ json: options.json === true, quiet: options.quiet === true }, (output) => bench(options, output)),
    );
}
