// How a client and the log stand to each other: compares the last pair the client knows with the log.
import { digestAt } from "../log/digester.ts";
import type { Log } from "../log/log.ts";
import type { Kv } from "../store/kv.ts";
import { Verdict } from "../wire/constants.ts";
import type { DigestPair } from "../wire/messages.ts";

/** The verdict and the id up to which it was decided. Reads the log where the digest at the client's id is not at hand. */
export async function judge(kv: Kv, log: Log, last: DigestPair): Promise<{ verdict: number; decidedAt: bigint }> {
  if (last.id === 0n) {
    return { verdict: Verdict.NONE, decidedAt: 0n };
  }
  const { base, height } = log;
  if (base === 0n || last.id > height) {
    return { verdict: Verdict.AHEAD, decidedAt: height };
  }
  const unknown = last.digest.every((byte) => byte === 0);
  if (!unknown && last.id >= base - 1n && !(await digestAt(kv, log.name, base, last.id)).digest.equals(last.digest)) {
    return { verdict: Verdict.DIVERGED, decidedAt: last.id };
  }
  return { verdict: last.id === height ? Verdict.SAME : Verdict.BEHIND, decidedAt: last.id };
}
