// Plots of the benchmarks over the size of events: a line for each series, both axes logarithmic.
import { dot, hinted, LogAxis, line, px, svg, text, tickText } from "./bench-axis.ts";
import type { Tone } from "./bench-rows.ts";

const MARGIN = { top: 16, right: 96, bottom: 34, left: 54 };
/** Names at the lines' ends must not cover each other. */
const NAME_HEIGHT = 15;

export interface Line {
  readonly name: string;
  readonly tone: Tone | "target";
  readonly points: readonly { readonly x: number; readonly y: number; readonly runs: readonly number[] }[];
}

export interface LineChart {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  /** How an `x` is told. */
  readonly xText: (x: number) => string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

interface Axes {
  readonly x: LogAxis;
  readonly y: LogAxis;
}

function axesOf({ width, height, lines }: LineChart): Axes {
  const points = lines.flatMap((each) => each.points);
  const x = new LogAxis(
    points.map((point) => point.x),
    [MARGIN.left + 14, width - MARGIN.right],
    1,
  );
  const y = new LogAxis(
    points.flatMap((point) => [point.y, ...point.runs]),
    [height - MARGIN.bottom, MARGIN.top],
  );
  return { x, y };
}

function frame({ width, height, unit, xText, lines }: LineChart, { x, y }: Axes): string {
  const sizes = [...new Set(lines.flatMap(({ points }) => points.map((point) => point.x)))];
  const right = width - MARGIN.right + 6;
  const rules = y
    .ticks()
    .map(
      (tick) =>
        line("grid", MARGIN.left, y.at(tick), right, y.at(tick)) + text("tick left", MARGIN.left - 8, y.at(tick) + 4, tickText(tick)),
    );
  const marks = sizes.map(
    (size) =>
      line("grid", x.at(size), height - MARGIN.bottom, x.at(size), height - MARGIN.bottom + 5) +
      text("tick", x.at(size), height - 12, xText(size)),
  );
  return rules.join("") + marks.join("") + text("tick left", MARGIN.left - 8, MARGIN.top - 4, unit);
}

function drawn({ name, tone, points }: Line, { x, y }: Axes, { xText, unit }: LineChart): string {
  const path = points.map((point, index) => `${index === 0 ? "M" : "L"}${px(x.at(point.x))} ${px(y.at(point.y))}`).join("");
  const runs = points.flatMap((point) => point.runs.map((run) => dot(`run tone-${tone}`, x.at(point.x), y.at(run), 2.5)));
  const dots =
    tone === "target"
      ? []
      : points.map((point) =>
          hinted(
            `${name}, ${xText(point.x)}: ${tickText(Math.round(point.y))} ${unit}`,
            dot(`tone-${tone}`, x.at(point.x), y.at(point.y), 4.5),
          ),
        );
  return `<path class="line tone-${tone}" d="${path}"/>${runs.join("")}${dots.join("")}`;
}

/** Names beside the lines' ends, moved apart where they would lie on each other. */
function names({ width, lines }: LineChart, { y }: Axes): string {
  const ends = lines.map(({ name, tone, points }) => ({ name, tone, at: y.at(points.at(-1)?.y ?? 0) })).toSorted((a, b) => a.at - b.at);
  let free = 0;
  return ends
    .map(({ name, tone, at }) => {
      const place = Math.max(at, free);
      free = place + NAME_HEIGHT;
      return text(`name tone-${tone}`, width - MARGIN.right + 12, place + 4, name);
    })
    .join("");
}

/** Throughput, mostly: the median of each size on a line, single rounds as faint dots. */
export function lineChart(chart: LineChart): string {
  const axes = axesOf(chart);
  const lines = chart.lines.map((each) => drawn(each, axes, chart)).join("");
  return svg(chart.title, chart.width, chart.height, frame(chart, axes) + lines + names(chart, axes));
}
