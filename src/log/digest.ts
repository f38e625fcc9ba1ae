// The digest before a log's first event, where every chain begins (docs/protocol.md, "Digest").
import { createHash } from "node:crypto";
import { type Ship, shipBytes } from "../ship.ts";
import { kindByte } from "../store/layout.ts";
import type { Pair } from "./block.ts";

const TAG = "seguro-log-1";

/** The pair (base - 1, d(base - 1)). */
export function digestBefore(ship: Ship, base: bigint): Pair {
  const id = base - 1n;
  const tail = Buffer.alloc(9);
  tail.writeUInt8(kindByte(ship.kind), 0);
  tail.writeBigUInt64LE(id, 1);
  const digest = createHash("sha256").update(TAG).update(shipBytes(ship.number)).update(tail).digest();
  return { id, digest };
}
