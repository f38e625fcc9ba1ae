// Durable appends over shared memory beside the same over the stream, on one store.
import { interleave, type Measure } from "../lib/measure.ts";
import { figureOf } from "../lib/programs.ts";
import type { Size } from "../lib/workplace.ts";

const PAIRS = { quick: 5, full: 15 };
/** A log for each transport, so that neither goes on behind the other's events. */
const SHIPS = { ring: "~zod", stream: "~nec" };

function durable(name: string, title: string, eventBytes: number, events: Size): Measure {
  return {
    name: `ring.durable.${name}`,
    unit: "MB/s",
    subject: `pipelined appends of ${title} events over the ring until all are durable on the LMDB store`,
    controlledBy: "the same over our own stream, on the same store",
    target: null,
    run: (workplace) =>
      workplace.withSidecar("store", async ({ socketPath }) => {
        const count = workplace.pick(events);
        const append = async (transport: "ring" | "stream"): Promise<number> => {
          const ship = SHIPS[transport];
          return (await figureOf("client_append", "bytes_per_s", transport, socketPath, ship, count, eventBytes, "pipelined")) / 1e6;
        };
        // Once unmeasured: the first calls of either are slow until their code is compiled.
        await append("ring");
        await append("stream");
        return await interleave(
          workplace.pick(PAIRS),
          () => append("ring"),
          () => append("stream"),
        );
      }),
  };
}

export const ringDurables: readonly Measure[] = [
  durable("500", "500 B", 500, { quick: 100_000, full: 300_000 }),
  durable("10k", "10 kB", 10_000, { quick: 5000, full: 15_000 }),
];
