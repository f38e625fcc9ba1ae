// A session on one ship, with patience for the session before it.
import { Client, type OpenOptions } from "../client/client.ts";
import { SeguroError } from "../wire/errors.ts";
import type { Opened } from "../wire/messages.ts";

/** The sidecar itself waits for some seconds each time. */
const SETTLE_ATTEMPTS = 4;
const SETTLE_PAUSE_MS = 100;

export interface ShipSession {
  readonly client: Client;
  readonly opened: Opened;
}

/** Connects and opens. While a session that has just ended still has commits in flight (`claim-settling`), it tries again a few times. */
export async function openShip(socketPath: string, ship: string, options: OpenOptions): Promise<ShipSession> {
  for (let attempt = 1; ; attempt++) {
    const client = await Client.connect(socketPath, ship);
    try {
      return { client, opened: await client.open(options) };
    } catch (error) {
      await client.close();
      if (!(error instanceof SeguroError) || error.code !== "claim-settling" || attempt === SETTLE_ATTEMPTS) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, SETTLE_PAUSE_MS));
  }
}
