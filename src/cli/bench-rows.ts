// Plots of the benchmarks with a row for each figure, in groups: ratios against their targets, and bars or spans on one axis.
import { dot, escaped, hinted, LogAxis, line, px, svg, text, tickText } from "./bench-axis.ts";

const WIDTH = 920;
const LABEL_WIDTH = 200;
const RIGHT_WIDTH = 150;
const PLOT: readonly [number, number] = [LABEL_WIDTH, WIDTH - RIGHT_WIDTH];
const AXIS_HEIGHT = 28;
const GROUP_HEIGHT = 30;
const ROW_HEIGHT = 26;
const BAR_HEIGHT = 11;

/** Rows under a heading. */
export interface Group<Row> {
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface RatioRow {
  readonly label: string;
  readonly hint: string;
  readonly ratio: number;
  /** Of every pair. */
  readonly runs: readonly number[];
  readonly target: { readonly bound: "at most" | "at least"; readonly limit: number } | null;
}

/** What a row's figure is, by colour: ours over a transport, or a control. */
export type Tone = "ring" | "stream" | "seguro" | "control" | "floor";

export interface SpanRow {
  readonly label: string;
  readonly hint: string;
  /** Each a dot; a line joins them. */
  readonly marks: readonly { readonly value: number; readonly tone: Tone; readonly text: string }[];
}

function isMet({ ratio, target }: RatioRow): boolean | null {
  return target === null ? null : target.bound === "at most" ? ratio <= target.limit : ratio >= target.limit;
}

/** Where each row of each group stands, and how high all of it is. */
function laid<Row>(groups: readonly Group<Row>[], draw: (row: Row, y: number) => string): { inside: string; height: number } {
  let y = AXIS_HEIGHT;
  const parts: string[] = [];
  for (const { title, rows } of groups) {
    parts.push(text("group", 0, y + GROUP_HEIGHT - 9, title));
    y += GROUP_HEIGHT;
    for (const row of rows) {
      parts.push(draw(row, y + ROW_HEIGHT / 2));
      y += ROW_HEIGHT;
    }
  }
  return { inside: parts.join(""), height: y + 8 };
}

function grid(axis: LogAxis, height: number, unit: string): string {
  return axis
    .ticks()
    .map(
      (tick) =>
        line("grid", axis.at(tick), AXIS_HEIGHT - 8, axis.at(tick), height) + text("tick", axis.at(tick), 12, `${tickText(tick)}${unit}`),
    )
    .join("");
}

/** The part of a row in which its target is met, from the limit on. */
function band(axis: LogAxis, { target }: RatioRow, y: number): string {
  if (target === null) {
    return "";
  }
  const at = axis.at(target.limit);
  const [from, to] = target.bound === "at most" ? [PLOT[0], at] : [at, PLOT[1]];
  const top = y - ROW_HEIGHT / 2 + 3;
  const rect = `<rect class="band" x="${px(from)}" y="${px(top)}" width="${px(Math.max(to - from, 0))}" height="${ROW_HEIGHT - 6}"/>`;
  return rect + line("limit", at, top, at, top + ROW_HEIGHT - 6);
}

function ratioRow(row: RatioRow, y: number, axis: LogAxis): string {
  const met = isMet(row);
  const tone = met === null ? "plain" : met ? "good" : "bad";
  const verdict = met === null ? "" : met ? "met" : "missed";
  const figures =
    `<text class="value" x="${PLOT[1] + 56}" y="${px(y + 4)}">${row.ratio.toFixed(2)} x</text>` +
    `<text class="verdict ${tone}" x="${PLOT[1] + 70}" y="${px(y + 4)}">${verdict}</text>`;
  const runs = row.runs.map((run) => dot("run", axis.at(run), y, 3)).join("");
  return hinted(
    row.hint,
    text("label", LABEL_WIDTH - 14, y + 4, row.label) + band(axis, row, y) + runs + dot(tone, axis.at(row.ratio), y, 6) + figures,
  );
}

/** Each ratio to its control: every pair a faint dot, the median a large one, and the side on which the target is met. */
export function ratioChart(title: string, groups: readonly Group<RatioRow>[]): string {
  const rows = groups.flatMap((group) => group.rows);
  const axis = new LogAxis(
    [1, ...rows.flatMap(({ runs, ratio, target }) => [ratio, ...runs, ...(target === null ? [] : [target.limit])])],
    PLOT,
  );
  const { inside, height } = laid(groups, (row, y) => ratioRow(row, y, axis));
  const unity = line("unity", axis.at(1), AXIS_HEIGHT - 8, axis.at(1), height);
  return svg(title, WIDTH, height, grid(axis, height, " x") + unity + inside);
}

function spanRow({ label, hint, marks }: SpanRow, y: number, axis: LogAxis): string {
  const places = marks.map(({ value }) => axis.at(value));
  const [from, to] = [Math.min(...places), Math.max(...places)];
  const dots = marks.map(({ value, tone }) => dot(`tone-${tone}`, axis.at(value), y, 6));
  const told = marks
    .map((mark) => `<tspan class="tone-${mark.tone}">${escaped(mark.text)}</tspan>`)
    .join('<tspan class="between"> / </tspan>');
  return hinted(
    hint,
    text("label", LABEL_WIDTH - 14, y + 4, label) +
      `<rect class="span" x="${px(from)}" y="${px(y - BAR_HEIGHT / 4)}" width="${px(Math.max(to - from, 0))}" height="${BAR_HEIGHT / 2}"/>` +
      dots.join("") +
      `<text class="value" x="${WIDTH}" y="${px(y + 4)}">${told}</text>`,
  );
}

/** Two or more figures of one unit a row, on one logarithmic axis: what is measured and its control, or a median and its tail. */
export function spanChart(title: string, unit: string, groups: readonly Group<SpanRow>[]): string {
  const values = groups.flatMap(({ rows }) => rows.flatMap(({ marks }) => marks.map(({ value }) => value)));
  const axis = new LogAxis(values, PLOT);
  const { inside, height } = laid(groups, (row, y) => spanRow(row, y, axis));
  return svg(title, WIDTH, height, grid(axis, height, ` ${unit}`) + inside);
}
