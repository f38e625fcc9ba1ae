// `seguro import` of a large pier until everything is durable, against copying the pier's file with one flush.
import { closeSync, fdatasyncSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import path from "node:path";
import { interleave, type Measure } from "../lib/measure.ts";
import { writePier } from "../lib/pier.ts";
import { verbJson } from "../lib/sidecar.ts";
import type { Workplace } from "../lib/workplace.ts";

const PAIRS = { quick: 3, full: 5 };
/** Above 1 GiB with LMDB's own overhead, whatever that is. */
const EVENT_BYTES = 1 << 30;
const COPY_BYTES = 4 << 20;

/** Seconds to copy a file through a buffer, as cp does, and flush it once. The file is removed again, outside of the time. */
function copySeconds(from: string, to: string): number {
  const began = performance.now();
  const source = openSync(from, "r");
  const copy = openSync(to, "wx", 0o600);
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  for (let got = readSync(source, buffer); got > 0; got = readSync(source, buffer)) {
    for (let at = 0; at < got; ) {
      at += writeSync(copy, buffer, at, got - at);
    }
  }
  fdatasyncSync(copy);
  const seconds = (performance.now() - began) / 1000;
  closeSync(source);
  closeSync(copy);
  rmSync(to);
  return seconds;
}

/** Seconds of one import into an empty store, from the command's own start of the clock to its end. */
async function importSeconds(workplace: Workplace, pier: string): Promise<number> {
  return await workplace.withSidecar("store", async ({ socketPath }) => {
    const { elapsedMs } = await verbJson("import", pier, "--socket", socketPath);
    if (typeof elapsedMs !== "number") {
      throw new Error("seguro import --json said no elapsedMs");
    }
    return elapsedMs / 1000;
  });
}

export const importMeasure: Measure = {
  name: "import",
  unit: "s",
  subject: "`seguro import` of a pier of 1 GiB and more into an empty LMDB store, until everything is durable, both from the page cache",
  controlledBy: "copying its data.mdb and one fdatasync",
  target: { of: "ratio", bound: "at most", limit: 4 },
  run: async (workplace) => {
    const pier = workplace.path("pier");
    await writePier(pier, EVENT_BYTES);
    const file = path.join(pier, ".urb/log/0i0/data.mdb");
    if (statSync(file).size < EVENT_BYTES) {
      throw new Error(`${file} is smaller than the measure says`);
    }
    return await interleave(
      workplace.pick(PAIRS),
      () => importSeconds(workplace, pier),
      async () => copySeconds(file, workplace.path("copy")),
    );
  },
};
