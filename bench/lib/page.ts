// The benchmarks' results as one HTML page that needs nothing else: style and charts are inside it, and no script.
import { escaped, figureChart, ratioChart } from "./charts.ts";
import { cells, HEADINGS, machineLine, type Row } from "./table.ts";

const STYLE = `
:root { color-scheme: light dark; --ground: #fcfcfa; --ink: #1d2126; --faint: #69717b; --line: #e2e4e3; --subject: #2563a8; --control: #b9c0c7;
  --good: #1f7a4d; --bad: #b3362c; --card: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --ink: #e4e7ea; --faint: #949da7; --line: #2b3036; --subject: #6aa6e8;
  --control: #565f69; --good: #58c08a; --bad: #ef7d70; --card: #1b1f23; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1020px; padding: 40px 24px 80px; background: var(--ground); color: var(--ink);
  font: 15px/1.55 system-ui, sans-serif; }
h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; } h2 { font-size: 18px; margin: 40px 0 4px; }
p { margin: 4px 0 12px; max-width: 72ch; } .faint, caption { color: var(--faint); }
figure { margin: 12px 0; padding: 18px 20px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; }
svg { display: block; width: 100%; min-width: 640px; height: auto; font: 12px system-ui, sans-serif; fill: var(--ink); }
.label { text-anchor: end; } .tick { text-anchor: middle; fill: var(--faint); font-size: 11px; } .amount { fill: var(--faint); font-size: 11px; }
.grid { stroke: var(--line); } .unity { stroke: var(--faint); stroke-dasharray: 2 4; } .limit { stroke: var(--ink); stroke-width: 2; fill: none; }
.run { fill: var(--faint); opacity: 0.35; } .plain { fill: var(--subject); } .good { fill: var(--good); } .bad { fill: var(--bad); }
.value { font-variant-numeric: tabular-nums; } rect.subject { fill: var(--subject); } rect.control { fill: var(--control); }
.key::before { content: ""; display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin-right: 6px; vertical-align: -1px; }
.key.subject::before { background: var(--subject); } .key.control::before { background: var(--control); } .key { margin-right: 18px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 10px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; } th { color: var(--faint); font-weight: 500; }
td.number, th.number { text-align: right; } dt { font-family: ui-monospace, monospace; font-size: 13px; margin-top: 10px; } dd { margin: 0; color: var(--faint); }
`;

const FIRST_NUMBER = 2;
const LAST_NUMBER = 4;

/** What is drawn in the units that say how fast or how long. */
const PANELS: readonly { readonly unit: string; readonly title: string; readonly text: string }[] = [
  { unit: "MB/s", title: "Throughput, bytes of events", text: "Longer is better." },
  { unit: "events/s", title: "Throughput, events", text: "Longer is better." },
  { unit: "us", title: "Latency", text: "Median time of one round trip in microseconds; shorter is better." },
];

function panel({ unit, title, text }: (typeof PANELS)[number], rows: readonly Row[]): string {
  const shown = rows.filter(({ measure }) => measure.unit === unit);
  if (shown.length === 0) {
    return "";
  }
  const keys = '<span class="key subject">Seguro</span><span class="key control">its control</span>';
  return `<h2>${title}</h2><p class="faint">${keys}${text}</p><figure>${figureChart(title, unit, shown)}</figure>`;
}

function table(rows: readonly Row[]): string {
  const line = (tag: string, texts: readonly string[]): string => {
    const kind = (column: number): string => (column >= FIRST_NUMBER && column <= LAST_NUMBER ? ' class="number"' : "");
    return `<tr>${texts.map((text, column) => `<${tag}${kind(column)}>${escaped(text)}</${tag}>`).join("")}</tr>`;
  };
  const body = rows.map((row) => line("td", cells(row))).join("\n");
  return `<figure><table><thead>${line("th", HEADINGS)}</thead><tbody>${body}</tbody></table></figure>`;
}

export function htmlPage(rows: readonly Row[], command: string, date: string): string {
  const meanings = rows.map(
    ({ measure }) => `<dt>${escaped(measure.name)}</dt><dd>${escaped(measure.subject)}. Control: ${escaped(measure.controlledBy)}.</dd>`,
  );
  const ratios = ratioChart(rows);
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>Seguro: benchmarks</title><style>${STYLE}</style></head><body>`,
    `<h1>Seguro: benchmarks</h1><p class="faint">${escaped(machineLine())}. ${date.slice(0, 10)}, <code>${escaped(command)}</code></p>`,
    "<p>Absolute figures belong to that machine. The ratios carry: each control is the least that the same job costs in plain C, taken in turns with the subject.</p>",
    ratios === ""
      ? ""
      : `<h2>Ratios to the controls</h2><p class="faint">A faint dot is one pair, the large one the median. The bar is the target; its tip points to where it is met.</p><figure>${ratios}</figure>`,
    ...PANELS.map((each) => panel(each, rows)),
    `<h2>All figures</h2>${table(rows)}`,
    `<h2>What is measured</h2><dl>${meanings.join("\n")}</dl>`,
    "</body></html>\n",
  ].join("\n");
}
