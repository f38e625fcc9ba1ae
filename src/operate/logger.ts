// The structured log: one JSON object a line, on stderr. Event bytes never reach it: buffers are logged by their length.
import pino, { type Logger } from "pino";
import type { LogLevel } from "./log-levels.ts";

const STDERR_FD = 2;

/** Numbers beyond 2^53 as text, buffers as their length: JSON has no form for the one, and nothing may show the other's bytes. */
function printable(value: unknown): unknown {
  if (typeof value === "bigint") {
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
  }
  return value instanceof Uint8Array ? `${value.length} bytes` : value;
}

function printableFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, printable(value)]));
}

/** A logger that writes at once (a crash loses no line). `destination` is for tests. */
export function makeLogger(level: LogLevel, destination?: { write(line: string): void }): Logger {
  const options = {
    name: "seguro",
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: printableFields },
  };
  return pino(options, destination ?? pino.destination({ fd: STDERR_FD, sync: true }));
}
