// Where a command's words go: results to stdout (text or one JSON object), notes and progress to stderr.
import { SingleBar } from "cli-progress";
import type { Failure } from "./failure.ts";
import { count, size } from "./format.ts";

const PROGRESS_LINE_MS = 2000;

/** Event ids and counts are written as text, as the sidecar does: JSON's numbers end at 2^53. */
function jsonValue(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Work that takes long. `update` may be called as often as one likes. */
export interface Progress {
  update(done: bigint | number): void;
  stop(): void;
}

type Unit = "events" | "bytes";

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;

  constructor(options: OutputOptions) {
    this.json = options.json === true;
    this.quiet = options.quiet === true;
  }

  /** The command's result: the object with `--json`, else the text unless `--quiet`. */
  result(object: Readonly<Record<string, unknown>>, text: () => string): void {
    if (this.json) {
      process.stdout.write(`${JSON.stringify(object, jsonValue)}\n`);
    } else if (!this.quiet) {
      process.stdout.write(text());
    }
  }

  /** Something worth knowing while the command goes on; not shown with `--quiet`. */
  note(text: string): void {
    if (!this.quiet) {
      process.stderr.write(`${text}\n`);
    }
  }

  /** Something a person must know; shown always. */
  warn(text: string): void {
    process.stderr.write(`warning: ${text}\n`);
  }

  /** What went wrong: with `--json` an object on stdout in the result's place, else two lines on stderr. */
  failure(failure: Failure): void {
    const { code, message, hint, exitCode } = failure;
    if (this.json) {
      process.stdout.write(`${JSON.stringify({ error: { code, message, hint, exitCode } })}\n`);
      return;
    }
    process.stderr.write(`seguro: ${message}\n`);
    if (hint !== "") {
      process.stderr.write(`hint: ${hint}\n`);
    }
  }

  /** Shows how far work has come: a bar on a terminal, a line now and then elsewhere, nothing with `--quiet`. */
  progress(label: string, total: bigint | number, unit: Unit): Progress {
    if (this.quiet) {
      return { update: () => undefined, stop: () => undefined };
    }
    return process.stderr.isTTY === true ? bar(label, Number(total), unit) : lines(label, Number(total), unit);
  }
}

function figure(value: number, unit: Unit): string {
  return unit === "bytes" ? size(value) : count(value);
}

function bar(label: string, total: number, unit: Unit): Progress {
  const shown = new SingleBar({
    format: `${label} [{bar}] {percentage}% | {value} of {total} ${unit === "events" ? "events" : ""} | {eta_formatted} left`,
    formatValue: (value, _options, type) =>
      type === "percentage" ? String(value).padStart(3) : type === "value" || type === "total" ? figure(value, unit) : String(value),
    // The cursor stays, and signals stay the verb's own: a bar that was killed leaves the terminal as it was.
    hideCursor: false,
    gracefulExit: false,
    clearOnComplete: false,
    stream: process.stderr,
  });
  shown.start(Math.max(total, 1), 0);
  let last = 0;
  return {
    update: (done) => {
      last = Number(done);
      shown.update(last);
    },
    stop: () => shown.stop(),
  };
}

function lines(label: string, total: number, unit: Unit): Progress {
  let shownAtMs = Date.now();
  return {
    update: (done) => {
      const nowMs = Date.now();
      if (nowMs - shownAtMs >= PROGRESS_LINE_MS) {
        shownAtMs = nowMs;
        process.stderr.write(`${label}: ${figure(Number(done), unit)} of ${figure(total, unit)}${unit === "events" ? " events" : ""}\n`);
      }
    },
    stop: () => undefined,
  };
}
