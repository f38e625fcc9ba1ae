// The FoundationDB store against a C program that keeps one key an event, on the same cluster: appends, replay.
import type { BenchCluster } from "../lib/cluster.ts";
import { interleave, type Measure, type Target } from "../lib/measure.ts";
import { figureOf } from "../lib/programs.ts";
import type { Size } from "../lib/workplace.ts";
import { skipReason, TRANSPORT } from "./fdb-common.ts";

const SHIP = "~zod";
const COMMIT_PAIRS = { quick: 7, full: 15 };
const COMMITS = { quick: 400, full: 1000 };
const PAIRS = { quick: 5, full: 11 };
const CONTROL_IN_FLIGHT = 50;

interface Shape {
  readonly name: string;
  readonly title: string;
  readonly eventBytes: number;
  readonly events: Size;
  /** Events of one transaction of the control. */
  readonly controlEvents: number;
  readonly target: Target;
}

function controlAppend(cluster: BenchCluster, prefix: string, events: number, shape: Shape): Promise<number> {
  const { controlEvents, eventBytes } = shape;
  const transactions = events / controlEvents;
  return figureOf(
    "fdb_control",
    "events_per_s",
    cluster.clusterFile,
    prefix,
    "append",
    transactions,
    controlEvents,
    eventBytes,
    CONTROL_IN_FLIGHT,
  );
}

const commit: Measure = {
  name: "fdb.commit",
  unit: "events/s",
  subject: "append of one 500 B event and its acknowledgement on the FoundationDB store, one at a time",
  controlledBy: "C on libfdb_c, same cluster: one key an event, one transaction at a time",
  target: { of: "ratio", bound: "at least", limit: 0.85 },
  skip: skipReason,
  run: async (workplace) => {
    const count = workplace.pick(COMMITS);
    return await workplace.withClusterSidecar(({ socketPath }, cluster) =>
      interleave(
        workplace.pick(COMMIT_PAIRS),
        () => figureOf("client_append", "events_per_s", TRANSPORT, socketPath, SHIP, count, 500, "single"),
        () => figureOf("fdb_control", "events_per_s", cluster.clusterFile, cluster.prefix(), "append", count, 1, 500, 1),
      ),
    );
  },
};

function pipeline(shape: Shape): Measure {
  const { name, title, eventBytes, events, controlEvents, target } = shape;
  return {
    name: `fdb.pipeline.${name}`,
    unit: "events/s",
    subject: `pipelined appends of ${title} events until all are durable on the FoundationDB store`,
    controlledBy: `C on libfdb_c, same cluster: ${CONTROL_IN_FLIGHT} transactions of ${controlEvents} in flight`,
    target,
    skip: skipReason,
    run: async (workplace) => {
      const count = workplace.pick(events);
      return await workplace.withClusterSidecar(({ socketPath }, cluster) =>
        interleave(
          workplace.pick(PAIRS),
          () => figureOf("client_append", "events_per_s", TRANSPORT, socketPath, SHIP, count, eventBytes, "pipelined"),
          () => controlAppend(cluster, cluster.prefix(), count, shape),
        ),
      );
    },
  };
}

function replay(shape: Shape): Measure {
  const { name, title, eventBytes, events, target } = shape;
  return {
    name: `fdb.replay.${name}`,
    unit: "events/s",
    subject: `replay of ${title} events from the FoundationDB store through libseguro's iterator, every record checked`,
    controlledBy: "C on libfdb_c, same cluster: range reads (want_all) over one key an event or 10,000-byte fragment, every byte summed up",
    target,
    skip: skipReason,
    run: async (workplace) => {
      const count = workplace.pick(events);
      return await workplace.withClusterSidecar(async ({ socketPath }, cluster) => {
        const prefix = cluster.prefix();
        await figureOf("client_append", "events_per_s", TRANSPORT, socketPath, SHIP, count, eventBytes, "pipelined");
        await controlAppend(cluster, prefix, count, shape);
        const subject = () => figureOf("client_replay", "events_per_s", TRANSPORT, socketPath, SHIP);
        const control = () => figureOf("fdb_control", "events_per_s", cluster.clusterFile, prefix, "replay", "want_all");
        // Once unmeasured, so that both lie in the server's cache.
        await subject();
        await control();
        return await interleave(workplace.pick(PAIRS), subject, control);
      });
    },
  };
}

const small = { name: "500", title: "500 B", eventBytes: 500, events: { quick: 200_000, full: 400_000 }, controlEvents: 10 };
const large = { name: "100k", title: "100 kB", eventBytes: 100_000, events: { quick: 1000, full: 2000 }, controlEvents: 1 };

export const fdbMeasures: readonly Measure[] = [
  commit,
  pipeline({ ...small, target: { of: "ratio", bound: "at least", limit: 2 } }),
  pipeline({ ...large, target: { of: "ratio", bound: "at least", limit: 1 } }),
  replay({ ...small, target: { of: "ratio", bound: "at least", limit: 3 } }),
  replay({ ...large, target: { of: "ratio", bound: "at least", limit: 1 } }),
];
