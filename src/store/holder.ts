// What the lock file of a store in a folder says about the process that has it open.
import os from "node:os";

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly startedAt: string;
  readonly command: string;
}

/** What this process writes into a lock file. */
export function holderText(startedAt: string): string {
  const holder: Holder = { pid: process.pid, host: os.hostname(), startedAt, command: process.argv.slice(0, 3).join(" ") };
  return `${JSON.stringify(holder)}\n`;
}

/** Who has the store, from the text in its lock file, which may be missing or cut short. */
export function describeHolder(text: string): string {
  try {
    const holder = JSON.parse(text) as Partial<Holder>;
    return `process ${holder.pid} on ${holder.host} has had it open since ${holder.startedAt} (${holder.command})`;
  } catch {
    return "another process has it open";
  }
}
