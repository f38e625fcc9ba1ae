// The page of `seguro bench --html`: throughput by the size of events, ratios, and round trips.
import { type Line, lineChart } from "./bench-lines.ts";
import { type Card, figureOf, htmlPage, htmlTable, plots, type Section } from "./bench-page.ts";
import { ROUNDS, TRIP_EVENT_BYTES } from "./bench-plan.ts";
import {
  eventSize,
  figure,
  find,
  median,
  p50,
  p99,
  type Rate,
  type Report,
  ratioOf,
  refusals,
  sizesOf,
  TRIP_TITLES,
  type TripSource,
} from "./bench-report.ts";
import { type Group, type RatioRow, ratioChart, type SpanRow, spanChart, type Tone } from "./bench-rows.ts";
import { duration, size } from "./format.ts";

const PLOT = { width: 480, height: 320 };

const SERIES: readonly { readonly series: Rate["series"]; readonly name: string; readonly tone: Tone; readonly text: string }[] = [
  { series: "memcpy", name: "memcpy", tone: "floor", text: "copying the bytes once in memory" },
  { series: "socket", name: "socket", tone: "control", text: "a Unix socket alone" },
  { series: "stream", name: "stream", tone: "stream", text: "Seguro over its stream" },
  { series: "ring", name: "ring", tone: "ring", text: "Seguro over shared memory" },
];
const TRIP_TONES: Readonly<Record<TripSource, Tone>> = { stream: "stream", ring: "ring", echo: "control", flush: "floor" };
const KEYS = SERIES.toReversed().map(({ tone, text }) => ({ tone, text }));

function linesOf(rates: readonly Rate[]): Line[] {
  return SERIES.map(({ series, name, tone }) => ({
    name,
    tone,
    points: rates.filter((rate) => rate.series === series).map(({ eventBytes, runs }) => ({ x: eventBytes, y: median(runs), runs })),
  })).filter(({ points }) => points.length > 0);
}

function throughput({ appends, replays, controls }: Report): Section {
  const chart = (title: string, rates: readonly Rate[]): string =>
    lineChart({ ...PLOT, title, unit: "MB/s", xText: eventSize, lines: linesOf([...rates, ...controls]) });
  const text = "MB/s, by the size of an event; higher is better";
  return {
    title: "Throughput",
    text: `Both axes are logarithmic. Dots on the lines are medians of ${ROUNDS} rounds, faint ones the rounds.`,
    keys: KEYS,
    body: plots([
      { title: "Appends, until all are acknowledged", text, svg: chart("Appends", appends) },
      { title: "Replay, every record checked", text, svg: chart("Replay", replays) },
    ]),
  };
}

function ratioGroup(title: string, rates: readonly Rate[], over: Rate["series"], under: Rate["series"]): Group<RatioRow>[] {
  const rows = sizesOf(rates).flatMap((eventBytes): RatioRow[] => {
    const [upper, lower] = [find(rates, over, eventBytes), find(rates, under, eventBytes)];
    const ratio = ratioOf(upper, lower);
    const runs = upper?.runs.map((run, round) => run / (lower?.runs[round] ?? Number.NaN)) ?? [];
    const label = eventSize(eventBytes);
    return ratio === null ? [] : [{ label, hint: `${title}, ${label}: ${ratio.toFixed(2)} x`, ratio, runs, target: null }];
  });
  return rows.length === 0 ? [] : [{ title, rows }];
}

function ratios({ appends, replays, controls }: Report): Section {
  const [append, replay] = [
    [...appends, ...controls],
    [...replays, ...controls],
  ];
  const groups = [
    ...ratioGroup("Appends: ring over stream", append, "ring", "stream"),
    ...ratioGroup("Replay: ring over stream", replay, "ring", "stream"),
    ...ratioGroup("Appends: stream over a socket alone", append, "stream", "socket"),
    ...ratioGroup("Replay: stream over a socket alone", replay, "stream", "socket"),
  ];
  const text =
    "Large dots are medians of the rounds' ratios, faint ones the rounds. Ratios carry further than figures, which belong to this machine.";
  return { title: "Ratios", text, body: figureOf(ratioChart("Ratios", groups)) };
}

function trips({ trips: all }: Report): Section {
  const rows = all.map((each): SpanRow => {
    const tone = TRIP_TONES[each.source];
    const marks = [p50(each), p99(each)].map((value) => ({ value, tone, text: figure(value) }));
    return { label: TRIP_TITLES[each.source], hint: `${each.micros.length} of them`, marks };
  });
  const groups = [{ title: `One event of ${TRIP_EVENT_BYTES} B, there and back`, rows }];
  return {
    title: "Round trips",
    text: "Microseconds until an event is acknowledged, one at a time: the median and the slowest hundredth. Further left is better.",
    body: figureOf(spanChart("Round trips", "us", groups)),
  };
}

function tables({ appends, replays, controls }: Report): Section {
  const columns = ["", "size", "series", "MB/s", "events/s"].map((title, index) => ({ title, number: index > 2 }));
  const rows = (what: string, rates: readonly Rate[]): string[][] =>
    rates.map(({ series, eventBytes, runs }) => {
      const rate = median(runs);
      return [what, eventSize(eventBytes), series, figure(rate), figure((rate * 1e6) / eventBytes)];
    });
  const body = htmlTable(columns, [...rows("append", appends), ...rows("replay", replays), ...rows("control", controls)]);
  return { title: "All figures", text: "Medians.", body };
}

/** The best of a series, for a card. */
function best(rates: readonly Rate[], series: Rate["series"], what: string): Card[] {
  const shown = rates.filter((rate) => rate.series === series).toSorted((a, b) => median(b.runs) - median(a.runs))[0];
  return shown === undefined
    ? []
    : [{ figure: `${figure(median(shown.runs))} MB/s`, text: `${what} of ${eventSize(shown.eventBytes)} events, over the ${series}` }];
}

function cards({ transports, appends, replays, trips: all }: Report): Card[] {
  const series = transports.at(-1) ?? "stream";
  const trip = all.find(({ source }) => source === series);
  return [
    ...best(appends, series, "appends"),
    ...best(replays, series, "replay"),
    ...(trip === undefined
      ? []
      : [{ figure: `${figure(p50(trip))} us`, text: `until one event is acknowledged, over the ${series} (median)` }]),
  ];
}

export function benchPage(report: Report): string {
  const { machine, date, sidecarVersion, store, writtenBytes, elapsedMs } = report;
  const when = `${date.slice(0, 10)}, ${size(writtenBytes)} written in ${duration(elapsedMs)}`;
  return htmlPage({
    title: "Seguro: how fast it is here",
    facts: [machine, `Version ${sidecarVersion}, store ${store}. ${when}.`, ...refusals(report)],
    intro:
      "Stream, ring and their controls were taken in turns, in one run, through the C client that a ship's runtime uses. What else ran on the machine and on its disk is in these figures.",
    cards: cards(report),
    sections: [throughput(report), trips(report), ratios(report), tables(report)],
  });
}
