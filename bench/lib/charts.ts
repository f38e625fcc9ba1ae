// The charts of the benchmarks' page, as SVG text: ratios against targets, and figures beside their controls.
import type { Row } from "./table.ts";
import { figure, targetText, verdictText } from "./table.ts";

const WIDTH = 920;
const LABEL_WIDTH = 190;
const RIGHT_WIDTH = 150;
const PLOT_WIDTH = WIDTH - LABEL_WIDTH - RIGHT_WIDTH;
const AXIS_HEIGHT = 26;
const RATIO_ROW_HEIGHT = 30;
const FIGURE_ROW_HEIGHT = 44;
const BAR_HEIGHT = 14;
/** Room beside the least and the greatest of a logarithmic axis. */
const AXIS_SLACK = 1.25;
const TICK_STEPS = [1, 2, 5];

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** A logarithmic axis over the values, and where it has its ticks. */
class LogAxis {
  readonly #low: number;
  readonly #high: number;

  constructor(values: readonly number[]) {
    const positive = values.filter((value) => value > 0 && Number.isFinite(value));
    this.#low = Math.min(...positive) / AXIS_SLACK;
    this.#high = Math.max(...positive) * AXIS_SLACK;
  }

  x(value: number): number {
    const part = Math.log(Math.max(value, this.#low) / this.#low) / Math.log(this.#high / this.#low);
    return LABEL_WIDTH + part * PLOT_WIDTH;
  }

  ticks(): number[] {
    const decades = Math.ceil(Math.log10(this.#high / this.#low));
    const steps = decades > 3 ? [1] : TICK_STEPS;
    const first = Math.floor(Math.log10(this.#low));
    const all = Array.from({ length: decades + 2 }, (_, index) => steps.map((step) => step * 10 ** (first + index))).flat();
    return all.filter((tick) => tick >= this.#low && tick <= this.#high);
  }
}

function tickText(value: number, unit: string): string {
  const rounded = Number(value.toPrecision(3));
  return `${rounded >= 1000 ? rounded.toLocaleString("en-US") : rounded}${unit}`;
}

function grid(axis: LogAxis, height: number, unit: string): string {
  return axis
    .ticks()
    .map((tick) => {
      const x = axis.x(tick).toFixed(1);
      return `<line class="grid" x1="${x}" x2="${x}" y1="${AXIS_HEIGHT - 6}" y2="${height}"/><text class="tick" x="${x}" y="14">${tickText(tick, unit)}</text>`;
    })
    .join("");
}

function svg(title: string, height: number, inside: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">${inside}</svg>`;
}

function ratioRow({ measure, result }: Row, index: number, axis: LogAxis): string {
  const y = AXIS_HEIGHT + index * RATIO_ROW_HEIGHT + RATIO_ROW_HEIGHT / 2;
  const { target } = measure;
  const limit = target === null || target.of !== "ratio" ? "" : limitMark(axis.x(target.limit), y, target.bound === "at least");
  const verdict = verdictText(measure, result);
  const tone = verdict === "" ? "plain" : verdict === "pass" ? "good" : "bad";
  const dots = result.runs.map((run) => `<circle class="run" cx="${axis.x(run.ratio).toFixed(1)}" cy="${y}" r="3"/>`).join("");
  const title = `<title>${escaped(`${measure.subject}. Control: ${measure.controlledBy}. Target: ${targetText(measure)}.`)}</title>`;
  return (
    `<g>${title}<text class="label" x="${LABEL_WIDTH - 12}" y="${y + 4}">${escaped(measure.name)}</text>${limit}${dots}` +
    `<circle class="${tone}" cx="${axis.x(result.ratio).toFixed(1)}" cy="${y}" r="6"/>` +
    `<text class="value" x="${WIDTH - RIGHT_WIDTH + 14}" y="${y + 4}">${result.ratio.toFixed(2)} x` +
    `<tspan class="${tone}" dx="8">${verdict === "FAIL" ? "missed" : verdict}</tspan></text></g>`
  );
}

/** A line at the limit, with a small arrow to the side on which the target is met. */
function limitMark(x: number, y: number, isLeast: boolean): string {
  const tip = isLeast ? 7 : -7;
  return (
    `<line class="limit" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${y - 11}" y2="${y + 11}"/>` +
    `<path class="limit" d="M${x.toFixed(1)} ${y - 11}l${tip} 0"/>`
  );
}

/** Each measure's ratio to its control: every pair a dot, the median a large one, the target a line. */
export function ratioChart(rows: readonly Row[]): string {
  const shown = rows.filter(({ measure, result }) => result.control !== 0 && measure.target?.of !== "value");
  if (shown.length === 0) {
    return "";
  }
  const limits = shown.flatMap(({ measure }) => (measure.target === null ? [] : [measure.target.limit]));
  const axis = new LogAxis([1, ...limits, ...shown.flatMap(({ result }) => result.runs.map((run) => run.ratio))]);
  const height = AXIS_HEIGHT + shown.length * RATIO_ROW_HEIGHT + 6;
  const one = axis.x(1).toFixed(1);
  const unity = `<line class="unity" x1="${one}" x2="${one}" y1="${AXIS_HEIGHT - 6}" y2="${height}"/>`;
  return svg("Ratios to the controls", height, grid(axis, height, " x") + unity + shown.map((row, i) => ratioRow(row, i, axis)).join(""));
}

function bar(kind: string, y: number, end: number, text: string): string {
  const length = Math.max(end - LABEL_WIDTH, 1).toFixed(1);
  return (
    `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${length}" height="${BAR_HEIGHT}" rx="2"/>` +
    `<text class="amount" x="${(end + 6).toFixed(1)}" y="${y + 11}">${text}</text>`
  );
}

/** Figures of one unit, each above its control, on a linear axis that begins at 0. */
export function figureChart(title: string, unit: string, rows: readonly Row[]): string {
  const height = rows.length * FIGURE_ROW_HEIGHT + 4;
  const greatest = Math.max(...rows.flatMap(({ result }) => [result.value, result.control]));
  const end = (value: number): number => LABEL_WIDTH + (value / greatest) * PLOT_WIDTH;
  const inside = rows.map(({ measure, result }, index) => {
    const y = index * FIGURE_ROW_HEIGHT + 4;
    const control = bar("control", y + BAR_HEIGHT + 2, end(result.control), `${figure(result.control)} ${unit}`);
    const about = `<title>${escaped(`${measure.subject}. Control: ${measure.controlledBy}.`)}</title>`;
    const label = `<text class="label" x="${LABEL_WIDTH - 12}" y="${y + BAR_HEIGHT + 5}">${escaped(measure.name)}</text>`;
    return `<g>${about}${label}${bar("subject", y, end(result.value), `${figure(result.value)} ${unit}`)}${control}</g>`;
  });
  return svg(title, height, inside.join(""));
}
