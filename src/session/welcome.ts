// WELCOME of protocol 1: the last block of text, with what is known of the ship's log.
import { SeguroError } from "../wire/errors.ts";
import { encodeText } from "../wire/text.ts";
import type { Host } from "./session.ts";

/** The height in WELCOME is a hint, left out when the name is ambiguous or the log empty. */
export async function welcome(host: Host, point: string | null): Promise<Buffer> {
  if (point === null) {
    return encodeText("WELCOME", "-");
  }
  const { logs } = host.context;
  try {
    const { ship, record } = await logs.resolve(point, "either");
    if (record !== null && record.currentLog !== 0) {
      const { log, done } = await logs.read(ship, 0);
      done();
      return log.height === 0n ? encodeText("WELCOME", point) : encodeText("WELCOME", point, log.height);
    }
  } catch (error) {
    if (!(error instanceof SeguroError) || error.code !== "ambiguous-ship") {
      throw error;
    }
  }
  return encodeText("WELCOME", point);
}
