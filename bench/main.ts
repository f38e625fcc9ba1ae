// `npm run bench`: takes every measure with its control in turns, prints a table, and writes JSON and Markdown.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import type { Measure } from "./lib/measure.ts";
import { htmlPage } from "./lib/page.ts";
import { buildPrograms, repository } from "./lib/programs.ts";
import { type Result, resultOf } from "./lib/stats.ts";
import { machineLine, markdownPage, type Row, textTable } from "./lib/table.ts";
import { Workplace } from "./lib/workplace.ts";
import { measures } from "./measures/all.ts";

const USAGE = `npm run bench -- [--quick] [--only PREFIX]... [--json FILE] [--markdown FILE] [--html FILE] [--from FILE] [--dir FOLDER] [--list]

  --quick          smaller sizes and fewer pairs: all of it within five minutes
  --only PREFIX    only measures whose names begin so; may be repeated
  --json FILE      write [{name, unit, value, control, ratio, runs}]
  --markdown FILE  write the page (docs/performance.md)
  --html FILE      write a page with plots, which needs no other file
  --from FILE      measure nothing: take the figures of an earlier run's --json
  --dir FOLDER     where stores and files go; must be on a disk (default: build-bench/work)
  --list           name the measures and end
`;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
    markdown: { type: "string" },
    html: { type: "string" },
    from: { type: "string" },
    dir: { type: "string", default: path.join(repository, "build-bench/work") },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function command(): string {
  const { quick, from, markdown } = options;
  const args = [
    ...(quick ? ["--quick"] : []),
    ...(from === undefined ? [] : ["--from", from]),
    ...(markdown === undefined ? [] : ["--markdown", markdown]),
  ];
  return args.length === 0 ? "npm run bench" : `npm run bench -- ${args.join(" ")}`;
}

/** Null where the measure cannot be taken here. */
async function take(measure: Measure, workplace: Workplace): Promise<Row | null> {
  process.stderr.write(`${measure.name} ...`);
  const reason = measure.skip?.() ?? null;
  if (reason !== null) {
    process.stderr.write(` skipped: ${reason}\n`);
    return null;
  }
  const began = performance.now();
  const row = { measure, result: resultOf(measure, await measure.run(workplace)) };
  workplace.clear();
  process.stderr.write(` ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
  return row;
}

/** Every chosen measure, one after the other, on programs that are built first. */
async function takeAll(chosen: readonly Measure[]): Promise<Row[]> {
  buildPrograms();
  const workplace = new Workplace(path.resolve(options.dir), options.quick);
  const rows: Row[] = [];
  try {
    for (const measure of chosen) {
      const row = await take(measure, workplace);
      if (row !== null) {
        rows.push(row);
      }
    }
  } finally {
    await workplace.close();
  }
  return rows;
}

/** The figures of an earlier run, as far as their measures still exist. */
function takeFrom(file: string, chosen: readonly Measure[]): Row[] {
  const results = JSON.parse(readFileSync(file, "utf8")) as Result[];
  return chosen.flatMap((measure) => {
    const result = results.find(({ name }) => name === measure.name);
    return result === undefined ? [] : [{ measure, result }];
  });
}

/** When the figures were taken. */
function dateOf(): string {
  return (options.from === undefined ? new Date() : statSync(options.from).mtime).toISOString();
}

async function run(): Promise<void> {
  const chosen = measures.filter(({ name }) => options.only.length === 0 || options.only.some((prefix) => name.startsWith(prefix)));
  if (options.help || chosen.length === 0) {
    process.stdout.write(USAGE);
    process.exitCode = options.help ? 0 : 2;
    return;
  }
  if (options.list) {
    process.stdout.write(chosen.map(({ name, subject }) => `${name}: ${subject}\n`).join(""));
    return;
  }
  const rows = options.from === undefined ? await takeAll(chosen) : takeFrom(options.from, chosen);
  process.stdout.write(`${machineLine()}\n\n${textTable(rows)}`);
  if (options.json !== undefined) {
    const results = rows.map(({ result }) => result);
    writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  }
  if (options.markdown !== undefined) {
    writeFileSync(options.markdown, markdownPage(rows, command(), dateOf()));
  }
  if (options.html !== undefined) {
    writeFileSync(options.html, htmlPage(rows, command(), dateOf()));
  }
}

await run();
