// Who runs on which processor: for measures that depend on whether two processes share one.
import { readFileSync } from "node:fs";

export interface Placement {
  /** A number, for one end alone. */
  readonly one: string;
  /** A list as taskset takes it, for the other end; the same one where there is no other. */
  readonly others: string;
}

/** The processors that this process may use: "0-3,8". */
function allowed(): number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

export function placement(): Placement {
  const [one = 0, ...others] = allowed();
  return { one: `${one}`, others: others.length === 0 ? `${one}` : others.join(",") };
}
