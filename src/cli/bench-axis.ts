// Axes of the benchmarks' plots, and the little SVG that all of them share.

/** Room beside the least and the greatest value of an axis. */
const SLACK = 1.25;
const STEPS: readonly (readonly number[])[] = [[1, 2, 5], [1, 3], [1]];
const SPAN_OF_STEPS_DECADES = [1.6, 3];

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Coordinates are given to a tenth of a pixel. */
export function px(value: number): string {
  return Number(value.toFixed(1)).toString();
}

/** "0.25", "1,200", "35k" where there is little room. */
export function tickText(value: number): string {
  if (value >= 10_000) {
    return value >= 1e6 ? `${Number((value / 1e6).toPrecision(3))}M` : `${Number((value / 1e3).toPrecision(3))}k`;
  }
  return value >= 1000 ? value.toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}

/** A logarithmic axis over the values, laid onto the pixels between two places. */
export class LogAxis {
  readonly #low: number;
  readonly #high: number;
  readonly #from: number;
  readonly #to: number;

  constructor(values: readonly number[], [from, to]: readonly [number, number], slack = SLACK) {
    const positive = values.filter((value) => value > 0 && Number.isFinite(value));
    this.#low = Math.min(...positive) / slack;
    this.#high = Math.max(...positive) * slack;
    this.#from = from;
    this.#to = to;
  }

  at(value: number): number {
    const span = Math.log(this.#high / this.#low);
    const part = span === 0 ? 0.5 : Math.log(Math.max(value, this.#low) / this.#low) / span;
    return this.#from + part * (this.#to - this.#from);
  }

  /** Round values, fewer where the axis spans much. */
  ticks(): number[] {
    const decades = Math.log10(this.#high / this.#low);
    const steps = STEPS[SPAN_OF_STEPS_DECADES.filter((limit) => decades > limit).length] ?? [1];
    const first = Math.floor(Math.log10(this.#low));
    const all = Array.from({ length: Math.ceil(decades) + 2 }, (_, index) => steps.map((step) => step * 10 ** (first + index))).flat();
    return all.filter((tick) => tick >= this.#low && tick <= this.#high);
  }
}

export function svg(title: string, width: number, height: number, inside: string): string {
  return `<svg viewBox="0 0 ${width} ${px(height)}" role="img" aria-label="${escaped(title)}">${inside}</svg>`;
}

export function line(kind: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="${kind}" x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}"/>`;
}

export function text(kind: string, x: number, y: number, content: string): string {
  return `<text class="${kind}" x="${px(x)}" y="${px(y)}">${escaped(content)}</text>`;
}

export function dot(kind: string, x: number, y: number, radius: number): string {
  return `<circle class="${kind}" cx="${px(x)}" cy="${px(y)}" r="${radius}"/>`;
}

/** Shown while the pointer rests on what it is put around. */
export function hinted(hint: string, inside: string): string {
  return `<g><title>${escaped(hint)}</title>${inside}</g>`;
}
