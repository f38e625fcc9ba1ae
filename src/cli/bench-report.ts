// What `seguro bench` found: the figures as they are written to JSON, and as tables for people.
import os from "node:os";
import { ROUNDS, TRIP_EVENT_BYTES } from "./bench-plan.ts";
import { count, duration, pairs, size, table } from "./format.ts";

export type Transport = "stream" | "ring";
export type TripSource = Transport | "echo" | "flush";

/** Throughput of one series at one size, a figure a round, in MB/s. */
export interface Rate {
  readonly series: Transport | "socket" | "memcpy";
  readonly eventBytes: number;
  readonly runs: readonly number[];
}

/** Times of round trips, or of flushes, of all rounds, rising. */
export interface Trips {
  readonly source: TripSource;
  readonly micros: readonly number[];
}

/** All that was measured. */
export interface Taken {
  readonly transports: readonly Transport[];
  /** Why there is nothing over shared memory; null where there is. */
  readonly ringRefusal: string | null;
  readonly flushRefusal: string | null;
  readonly appends: readonly Rate[];
  readonly replays: readonly Rate[];
  readonly controls: readonly Rate[];
  readonly trips: readonly Trips[];
  readonly writtenBytes: number;
}

export interface Circumstances {
  readonly version: string;
  readonly sidecarVersion: string;
  readonly store: string;
  readonly socket: string;
  readonly ship: string;
  readonly date: string;
  readonly elapsedMs: number;
}

export interface Report extends Circumstances, Taken {
  readonly machine: string;
}

const NONE = "-";
const P50 = 0.5;
const P99 = 0.99;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Of values that rise. */
function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

export function p50(trips: Trips): number {
  return quantile(trips.micros, P50);
}

export function p99(trips: Trips): number {
  return quantile(trips.micros, P99);
}

/** The median of the ratios round by round; null where one of the two was not measured. */
export function ratioOf(over: Rate | undefined, under: Rate | undefined): number | null {
  if (over === undefined || under === undefined) {
    return null;
  }
  return median(over.runs.map((run, round) => run / (under.runs[round] ?? Number.NaN)));
}

export function find(rates: readonly Rate[], series: Rate["series"], eventBytes: number): Rate | undefined {
  return rates.find((rate) => rate.series === series && rate.eventBytes === eventBytes);
}

export function sizesOf(rates: readonly Rate[]): number[] {
  return [...new Set(rates.map(({ eventBytes }) => eventBytes))];
}

/** "500 B", "10 kB", "1 MB": sizes of events are mostly round. */
export function eventSize(eventBytes: number): string {
  return size(eventBytes)
    .replace(/(\.\d*?)0+ /, "$1 ")
    .replace(". ", " ");
}

/** Three digits that mean something, or whole numbers. */
export function figure(value: number): string {
  return value >= 100 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function machineText(): string {
  const cpus = os.cpus();
  const model = cpus[0]?.model.trim() ?? "unknown processor";
  return `${cpus.length} x ${model}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, Linux ${os.release()}, Node ${process.versions.node}`;
}

export function reportOf(circumstances: Circumstances, taken: Taken): Report {
  return { ...circumstances, ...taken, machine: machineText() };
}

function rateJson({ series, eventBytes, runs }: Rate): Readonly<Record<string, unknown>> {
  const mbPerSecond = median(runs);
  return { series, eventBytes, mbPerSecond, eventsPerSecond: (mbPerSecond * 1e6) / eventBytes, runs };
}

function ratiosJson(report: Report): Readonly<Record<string, unknown>>[] {
  return (["appends", "replays"] as const).flatMap((measure) =>
    sizesOf(report[measure]).flatMap((eventBytes) => {
      const of = (over: Rate["series"], under: Rate["series"]) => {
        const all = [...report[measure], ...report.controls];
        return ratioOf(find(all, over, eventBytes), find(all, under, eventBytes));
      };
      return [
        {
          measure,
          eventBytes,
          ringToStream: of("ring", "stream"),
          streamToSocket: of("stream", "socket"),
          ringToSocket: of("ring", "socket"),
        },
      ];
    }),
  );
}

/** The object of `--json` (docs/cli.md). */
export function reportJson(report: Report): Readonly<Record<string, unknown>> {
  const { appends, replays, controls, trips, ...rest } = report;
  return {
    ...rest,
    writtenBytes: String(report.writtenBytes),
    rounds: ROUNDS,
    roundTrips: trips.map((each) => ({
      source: each.source,
      eventBytes: TRIP_EVENT_BYTES,
      count: each.micros.length,
      p50Us: p50(each),
      p99Us: p99(each),
    })),
    appends: appends.map(rateJson),
    replays: replays.map(rateJson),
    controls: controls.map(rateJson),
    ratios: ratiosJson(report),
  };
}

function cell(rate: Rate | undefined): string {
  return rate === undefined ? NONE : figure(median(rate.runs));
}

function ratioCell(ratio: number | null): string {
  return ratio === null ? NONE : `${ratio.toFixed(2)} x`;
}

function ratesTable(title: string, rates: readonly Rate[], controls: readonly Rate[]): string {
  const columns = [title, "STREAM", "RING", "RING/STREAM", "EVENTS/S STREAM", "EVENTS/S RING", "SOCKET ALONE", "MEMCPY"];
  const rows = sizesOf(rates).map((eventBytes) => {
    const [stream, ring] = [find(rates, "stream", eventBytes), find(rates, "ring", eventBytes)];
    const perSecond = (rate: Rate | undefined): string => (rate === undefined ? NONE : figure((median(rate.runs) * 1e6) / eventBytes));
    return [
      eventSize(eventBytes),
      cell(stream),
      cell(ring),
      ratioCell(ratioOf(ring, stream)),
      perSecond(stream),
      perSecond(ring),
      cell(find(controls, "socket", eventBytes)),
      cell(find(controls, "memcpy", eventBytes)),
    ];
  });
  return table(
    columns.map((heading, index) => ({ title: heading, right: index > 0 })),
    rows,
  );
}

export const TRIP_TITLES: Readonly<Record<TripSource, string>> = {
  stream: "over the stream",
  ring: "over the ring",
  echo: "a Unix socket alone",
  flush: "a flush of its disk alone",
};

function tripsTable(trips: readonly Trips[]): string {
  const columns = [{ title: `ONE EVENT OF ${TRIP_EVENT_BYTES} B, us` }, { title: "P50", right: true }, { title: "P99", right: true }];
  return table(
    columns,
    trips.map((each) => [TRIP_TITLES[each.source], figure(p50(each)), figure(p99(each))]),
  );
}

/** What stands in the place of figures that could not be taken. */
export function refusals({ ringRefusal, flushRefusal }: Taken): string[] {
  return [
    ...(ringRefusal === null ? [] : [`nothing over shared memory: ${ringRefusal}`]),
    ...(flushRefusal === null ? [] : [`no flush alone: ${flushRefusal}`]),
  ];
}

export function reportText(report: Report): string {
  const head = pairs([
    ["sidecar", `version ${report.sidecarVersion}, ${report.store}`],
    ["machine", report.machine],
    ["ship", `${report.ship} (fake), gone again`],
    ["written", `${size(report.writtenBytes)} in ${duration(report.elapsedMs)}`],
  ]);
  const tables = [
    ratesTable("APPEND, MB/s", report.appends, report.controls),
    ratesTable("REPLAY, MB/s", report.replays, report.controls),
    tripsTable(report.trips),
  ];
  return [head, ...tables, ...refusals(report).map((line) => `${line}\n`)].join("\n");
}
