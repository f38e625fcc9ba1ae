// The results of `npm run bench` as one HTML page, out of the parts that `seguro bench --html` uses too.

import { escaped, tickText } from "../../src/cli/bench-axis.ts";
import { lineChart } from "../../src/cli/bench-lines.ts";
import { type Card, figureOf, htmlTable, htmlPage as page, plots, type Section } from "../../src/cli/bench-page.ts";
import { type Group, type RatioRow, ratioChart, type SpanRow, spanChart } from "../../src/cli/bench-rows.ts";
import { isMet } from "./stats.ts";
import { cells, figure, HEADINGS, machineLine, type Row, targetText } from "./table.ts";

/** Measures that differ in the size of events alone share a plot from so many on. */
const SIZES_FOR_A_PLOT = 3;
const PLOT = { width: 480, height: 280 };

/** What families of measures are about, where their names say too little. */
const TITLES: Readonly<Record<string, string>> = {
  stream: "Over the stream",
  "stream.replay": "Replay over the stream",
  "ring.gain": "Appends over the ring; control: the stream",
  "ring.drain": "Into checked runs, over the ring; control: C to C",
  "ring.replay": "Replay over the ring; control: LMDB walk and C-to-C ring",
  ring: "Over the ring",
  fdb: "FoundationDB",
  "fdb.pipeline": "Appends into FoundationDB",
  "fdb.replay": "Replay from FoundationDB",
  "fdb.ships": "Many ships into FoundationDB",
  "": "The rest",
};
/** Families whose last number is no size of events. */
const COUNTED: Readonly<Record<string, string>> = { "fdb.ships": "ships" };

/** Beside a plot there is no room for more digits. */
const SHORT_FROM = 100_000;
const SIZE_NAME = /^(.*)\.(\d+)(k|m)?$/;
const UNITS: Readonly<Record<string, number>> = { k: 1000, m: 1_000_000 };

/** "ring.gain.10k" as its family "ring.gain" and its event's size; other names as what stands before their last dot. */
function placeOf(name: string): { family: string; label: string; eventBytes: number | null } {
  const [, family, digits, unit = ""] = SIZE_NAME.exec(name) ?? [];
  if (family === undefined) {
    const dotAt = name.lastIndexOf(".");
    return { family: dotAt < 0 ? "" : (name.split(".")[0] ?? ""), label: name, eventBytes: null };
  }
  const counted = COUNTED[family];
  if (counted !== undefined) {
    return { family, label: `${digits} ${counted}`, eventBytes: null };
  }
  return { family, label: `${digits} ${unit === "m" ? "MB" : unit === "k" ? "kB" : "B"}`, eventBytes: Number(digits) * (UNITS[unit] ?? 1) };
}

function hint({ measure }: Row): string {
  return `${measure.subject}. Control: ${measure.controlledBy}. Target: ${targetText(measure)}.`;
}

/** Rows by family, each family where its first row stood. */
function families(rows: readonly Row[]): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const { family } = placeOf(row.measure.name);
    found.set(family, [...(found.get(family) ?? []), row]);
  }
  return found;
}

function groupsOf<Shown>(rows: readonly Row[], show: (row: Row, label: string) => Shown): Group<Shown>[] {
  return [...families(rows)].map(([family, members]) => ({
    title: TITLES[family] ?? family,
    rows: members.map((row) => show(row, placeOf(row.measure.name).label)),
  }));
}

function hasRatio({ measure, result }: Row): boolean {
  return result.control !== 0 && measure.target?.of !== "value";
}

function ratios(rows: readonly Row[]): Section[] {
  const shown = rows.filter(hasRatio);
  const groups = groupsOf(shown, (row, label): RatioRow => {
    const { target } = row.measure;
    return { label, hint: hint(row), ratio: row.result.ratio, runs: row.result.runs.map((run) => run.ratio), target };
  });
  const body = shown.length === 0 ? "" : figureOf(ratioChart("Ratios to the controls", groups));
  const text =
    "A faint dot is one pair of subject and control, the large one the median of all pairs. The target is met on the green side of its line.";
  return body === "" ? [] : [{ title: "Ratios to the controls", text, body }];
}

function sizePlot(family: string, rows: readonly Row[]): { title: string; text: string; svg: string } {
  const points = (of: (row: Row) => number, runs: (row: Row) => readonly number[]) =>
    rows.map((row) => ({ x: placeOf(row.measure.name).eventBytes ?? 1, y: of(row), runs: runs(row) }));
  const wanted = (row: Row): number => row.result.control * (row.measure.target?.limit ?? Number.NaN);
  const hasTargets = rows.every(({ measure }) => measure.target?.of === "ratio");
  const labels = new Map(rows.map((row) => [placeOf(row.measure.name).eventBytes, placeOf(row.measure.name).label]));
  const unit = rows[0]?.measure.unit ?? "";
  const svg = lineChart({
    ...PLOT,
    title: family,
    unit,
    xText: (x) => labels.get(x) ?? "",
    lines: [
      {
        name: "control",
        tone: "control",
        points: points(
          (row) => row.result.control,
          (row) => row.result.runs.map((run) => run.control),
        ),
      },
      ...(hasTargets ? [{ name: "target", tone: "target" as const, points: points(wanted, () => []) }] : []),
      {
        name: "Seguro",
        tone: "seguro",
        points: points(
          (row) => row.result.value,
          (row) => row.result.runs.map((run) => run.value),
        ),
      },
    ],
  });
  return { title: TITLES[family] ?? family, text: `${unit}, by the size of an event; higher is better`, svg };
}

function throughput(rows: readonly Row[]): Section[] {
  const shown = [...families(rows.filter(({ measure }) => measure.unit.endsWith("/s")))].filter(
    ([, members]) => members.length >= SIZES_FOR_A_PLOT && members.every(({ measure }) => placeOf(measure.name).eventBytes !== null),
  );
  if (shown.length === 0) {
    return [];
  }
  return [
    {
      title: "Throughput by the size of events",
      text: "Both axes are logarithmic. The dashed line is what the target asks for: the control times the target's ratio.",
      keys: [
        { tone: "seguro", text: "Seguro" },
        { tone: "control", text: "control" },
        { tone: "target", text: "target" },
      ],
      body: plots(shown.map(([family, members]) => sizePlot(family, members))),
    },
  ];
}

const PANELS: readonly { readonly unit: string; readonly title: string; readonly text: string }[] = [
  { unit: "MB/s", title: "Throughput, bytes of events", text: "Further right is better." },
  { unit: "events/s", title: "Throughput, events", text: "Further right is better." },
  { unit: "us", title: "Latency", text: "Median time of one round trip; further left is better." },
];

function shortFigure(value: number): string {
  return value >= SHORT_FROM ? tickText(value) : figure(value);
}

function panel({ unit, title, text }: (typeof PANELS)[number], rows: readonly Row[]): Section[] {
  const shown = rows.filter(({ measure, result }) => measure.unit === unit && result.control > 0);
  if (shown.length === 0) {
    return [];
  }
  const groups = groupsOf(shown, (row, label): SpanRow => {
    const { value, control } = row.result;
    const marks = [
      { value, tone: "seguro", text: shortFigure(value) },
      { value: control, tone: "control", text: shortFigure(control) },
    ] as const;
    return { label, hint: hint(row), marks };
  });
  const keys = [
    { tone: "seguro", text: "Seguro" },
    { tone: "control", text: "its control" },
  ];
  return [{ title, text, keys, body: figureOf(spanChart(title, unit, groups)) }];
}

function cards(rows: readonly Row[]): Card[] {
  const judged = rows.map((row) => ({ row, met: isMet(row.measure, row.result) })).filter(({ met }) => met !== null);
  const missed = judged.filter(({ met }) => met === false).map(({ row }) => row.measure.name);
  const targets: Card = { figure: `${judged.length - missed.length} of ${judged.length}`, text: "targets are met" };
  const others: Card = { figure: String(missed.length), text: `missed: ${missed.join(", ")}`, tone: "bad" };
  return judged.length === 0 ? [] : [{ ...targets, tone: "good" }, ...(missed.length === 0 ? [] : [others])];
}

function table(rows: readonly Row[]): string {
  const columns = HEADINGS.map((title, index) => ({ title, number: index >= 2 && index <= 4 }));
  const told = rows.map((row) => cells(row).map((cell) => (cell === "pass" ? "met" : cell === "FAIL" ? "missed" : cell)));
  return htmlTable(columns, told);
}

function meanings(rows: readonly Row[]): string {
  const one = ({ measure }: Row): string =>
    `<dt>${escaped(measure.name)}</dt><dd>${escaped(measure.subject)}. Control: ${escaped(measure.controlledBy)}.</dd>`;
  return `<dl>${rows.map(one).join("\n")}</dl>`;
}

export function htmlPage(rows: readonly Row[], command: string, date: string): string {
  return page({
    title: "Seguro: benchmarks",
    facts: [machineLine(), `${date.slice(0, 10)}, ${command}`],
    intro:
      "Absolute figures belong to that machine. The ratios carry: each control is the least that the same job costs in plain C, taken in turns with the subject.",
    cards: cards(rows),
    sections: [
      ...ratios(rows),
      ...throughput(rows),
      ...PANELS.flatMap((each) => panel(each, rows)),
      { title: "All figures", text: "Medians; a ratio is the median of the pairs' ratios.", body: table(rows) },
      { title: "What is measured", text: "Each subject and its control.", body: meanings(rows) },
    ],
  });
}
