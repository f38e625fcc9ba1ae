// The frame of the benchmarks' pages: one HTML file that needs nothing else. Style and plots are inside it; there is no script.
import { escaped } from "./bench-axis.ts";

const STYLE = `
:root { color-scheme: light dark; --ground: #f7f7f4; --card: #fff; --ink: #1b2025; --faint: #66707a; --line: #e3e5e4; --blue: #1f66b5; --orange: #c2620e;
  --control: #65707a; --floor: #a2abb4; --good: #1b7f4f; --bad: #bd3527; --band: #1b7f4f1c; }
@media (prefers-color-scheme: dark) { :root { --ground: #121518; --card: #1a1e22; --ink: #e5e8eb; --faint: #98a2ac; --line: #2c3238; --blue: #6db0f5;
  --orange: #f0a04b; --control: #b3bdc7; --floor: #7b8691; --good: #57c78c; --bad: #f27c6e; --band: #57c78c22; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1060px; padding: 44px 28px 90px; background: var(--ground); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.015em; } h2 { font-size: 19px; margin: 44px 0 2px; letter-spacing: -0.005em; }
h3 { font-size: 14px; margin: 0; font-weight: 600; } p { margin: 4px 0 14px; max-width: 80ch; } .faint { color: var(--faint); }
code { font: 0.92em ui-monospace, monospace; }
figure { margin: 12px 0; padding: 18px 22px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow-x: auto; }
.cards, .plots { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); margin: 22px 0 0; }
.plots { grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); margin: 12px 0; } .plots figure { margin: 0; padding: 14px 18px 10px; }
.plots p { font-size: 13px; margin: 0 0 6px; } .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; }
.card b { display: block; font-size: 24px; font-weight: 600; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; } .card span { color: var(--faint); font-size: 13px; }
svg { display: block; width: 100%; height: auto; font: 12.5px system-ui, sans-serif; fill: var(--ink); }
figure > svg:only-child { min-width: 640px; }
.group { font-weight: 600; } .label { text-anchor: end; } .tick { text-anchor: middle; fill: var(--faint); font-size: 11px; } .tick.left { text-anchor: end; }
.value { text-anchor: end; font-variant-numeric: tabular-nums; } .between { fill: var(--faint); } .name { font-weight: 500; font-size: 12px; }
.grid { stroke: var(--line); } .unity { stroke: var(--faint); stroke-dasharray: 2 4; } .limit { stroke: var(--good); stroke-width: 2; } .band { fill: var(--band); }
.run { fill: var(--faint); opacity: 0.4; } .plain { fill: var(--blue); } .good { fill: var(--good); } .bad { fill: var(--bad); } .span { fill: var(--line); }
.tone-ring, .tone-seguro { fill: var(--blue); } .tone-stream { fill: var(--orange); } .tone-control { fill: var(--control); } .tone-floor { fill: var(--floor); }
.tone-target { fill: var(--good); } .line { fill: none; stroke-width: 2.25; stroke-linejoin: round; } .line.tone-ring, .line.tone-seguro { stroke: var(--blue); }
.line.tone-stream { stroke: var(--orange); } .line.tone-control { stroke: var(--control); } .line.tone-floor { stroke: var(--floor); }
.line.tone-target { stroke: var(--good); stroke-dasharray: 5 5; stroke-width: 1.5; } .line.tone-control, .line.tone-floor { stroke-width: 1.75; }
.key { margin-right: 18px; white-space: nowrap; } .key::before { content: ""; display: inline-block; width: 11px; height: 11px; border-radius: 6px; margin-right: 6px; }
.key.ring::before, .key.seguro::before { background: var(--blue); } .key.stream::before { background: var(--orange); } .key.control::before { background: var(--control); }
.key.floor::before { background: var(--floor); } .key.target::before { background: var(--good); }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; } th { color: var(--faint); font-weight: 500; }
tr:last-child td { border-bottom: 0; } .number { text-align: right; } td.good, .card .good { color: var(--good); } td.bad, .card .bad { color: var(--bad); }
dt { font: 13px ui-monospace, monospace; margin-top: 10px; } dd { margin: 0; color: var(--faint); }
`;

export interface Section {
  readonly title: string;
  /** What to look for; ends above the plot. */
  readonly text: string;
  /** Colours of the plot and what they mean. */
  readonly keys?: readonly { readonly tone: string; readonly text: string }[];
  /** HTML. */
  readonly body: string;
}

export interface Card {
  readonly figure: string;
  readonly text: string;
  readonly tone?: "good" | "bad";
}

export interface Page {
  readonly title: string;
  /** The machine, the day, the command: what the figures belong to. */
  readonly facts: readonly string[];
  readonly intro: string;
  readonly cards: readonly Card[];
  readonly sections: readonly Section[];
}

export interface Column {
  readonly title: string;
  readonly number?: boolean;
}

export function figureOf(inside: string): string {
  return `<figure>${inside}</figure>`;
}

/** Plots beside each other, each with a heading. */
export function plots(all: readonly { readonly title: string; readonly text: string; readonly svg: string }[]): string {
  const one = ({ title, text, svg }: (typeof all)[number]): string =>
    figureOf(`<h3>${escaped(title)}</h3><p class="faint">${escaped(text)}</p>${svg}`);
  return `<div class="plots">${all.map(one).join("")}</div>`;
}

export function htmlTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (tag: string, cells: readonly string[]): string => {
    const kind = (cell: string, index: number): string =>
      columns[index]?.number === true ? "number" : cell === "met" ? "good" : cell === "missed" ? "bad" : "";
    return `<tr>${cells.map((cell, index) => `<${tag} class="${kind(cell, index)}">${escaped(cell)}</${tag}>`).join("")}</tr>`;
  };
  const head = line(
    "th",
    columns.map(({ title }) => title),
  );
  return figureOf(`<table><thead>${head}</thead><tbody>${rows.map((row) => line("td", row)).join("\n")}</tbody></table>`);
}

function section({ title, text, keys = [], body }: Section): string {
  const shown = keys.map((key) => `<span class="key ${key.tone}">${escaped(key.text)}</span>`).join("");
  return `<h2>${escaped(title)}</h2><p class="faint">${escaped(text)}${shown === "" ? "" : `<br>${shown}`}</p>${body}`;
}

export function htmlPage({ title, facts, intro, cards, sections }: Page): string {
  const shown = cards.map(
    ({ figure, text, tone = "" }) => `<div class="card"><b class="${tone}">${escaped(figure)}</b><span>${escaped(text)}</span></div>`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escaped(title)}</h1><p class="faint">${facts.map(escaped).join("<br>")}</p><p>${escaped(intro)}</p>`,
    cards.length === 0 ? "" : `<div class="cards">${shown.join("")}</div>`,
    ...sections.map(section),
    "</body></html>\n",
  ].join("\n");
}
