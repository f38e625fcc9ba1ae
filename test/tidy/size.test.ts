// Files and functions that one can hold in one's head, and a first line that says what a file is about.
import t from "tap";
import ts from "typescript";
import { isScript, lineOf, nodesOf, type Source, sources, treeOf } from "./sources.ts";

const FILE_LINES_MAX = 400;
const FILE_LINES_WANTED = 300;
const FUNCTION_LINES_MAX = 70;

type Found = { readonly where: string; readonly lines: number };

function linesOf(node: ts.Node): number {
  return node.getText().split("\n").length;
}

/** The cases inside a function that only lists them do not count as its own lines. */
function casesIn(node: ts.Node): number {
  let lines = 0;
  ts.forEachChild(node, (child) => {
    lines += isTestBody(child) ? linesOf(child) - 1 : casesIn(child);
  });
  return lines;
}

function functionsOf(source: Source): Found[] {
  return [...nodesOf(treeOf(source))]
    .filter((node) => ts.isFunctionLike(node) && "body" in node && node.body !== undefined)
    .filter((node) => !isTestBody(node))
    .map((node) => ({ where: `${source.path}:${lineOf(node)}`, lines: linesOf(node) - casesIn(node) }));
}

/** `t.test("title", async (t) => { ... })` and the like: a list of steps, not one piece of logic. */
function isTestBody(node: ts.Node): boolean {
  const call = node.parent;
  const title = ts.isCallExpression(call) && call.arguments.at(-1) === node ? call.arguments[0] : undefined;
  return title !== undefined && (ts.isStringLiteral(title) || ts.isTemplateExpression(title) || ts.isNoSubstitutionTemplateLiteral(title));
}

/** Functions of C and C++ as clang-format leaves them: the head ends with a brace, the body with one under the head's beginning. */
function nativeFunctionsOf(source: Source): Found[] {
  const found: Found[] = [];
  source.lines.forEach((line, index) => {
    const indent = /^( {0,2})[A-Za-z_~].*\) ?(const |noexcept |override )*\{$/.exec(line)?.[1];
    if (indent === undefined || /^ *(if|for|while|switch|else|do|namespace|return)\b/.test(line)) {
      return;
    }
    const end = source.lines.findIndex((other, at) => at > index && other === `${indent}}`);
    if (end > 0) {
      found.push({ where: `${source.path}:${index + 1}`, lines: end - index + 1 });
    }
  });
  return found;
}

t.test("files", async (t) => {
  const long = sources.filter((source) => source.lines.length > FILE_LINES_MAX);
  t.same(
    long.map((source) => `${source.path}: ${source.lines.length} lines`),
    [],
    `no file above ${FILE_LINES_MAX} lines`,
  );
  for (const source of sources.filter((source) => source.lines.length > FILE_LINES_WANTED)) {
    t.comment(`${source.path} has ${source.lines.length} lines; ${FILE_LINES_WANTED} are enough for most`);
  }
});

t.test("functions", async (t) => {
  const all = sources.flatMap((source) => (isScript(source) ? functionsOf(source) : nativeFunctionsOf(source)));
  t.ok(all.length > 500, "functions were found");
  const long = all.filter(({ lines }) => lines > FUNCTION_LINES_MAX);
  t.same(
    long.map(({ where, lines }) => `${where}: ${lines} lines`),
    [],
    `no function above ${FUNCTION_LINES_MAX} lines`,
  );
});

t.test("first lines", async (t) => {
  const silent = sources.filter(({ lines }) => {
    const first = lines[0]?.startsWith("#!") === true ? lines[1] : lines[0];
    return !/^(\/\/|\/\*) \S/.test(first ?? "");
  });
  t.same(
    silent.map((source) => source.path),
    [],
    "every source file begins with a comment that says its subject",
  );
});

t.test("leftovers", async (t) => {
  const marks = new RegExp(["TO", "FIX", "XX"].map((mark) => `\\b${mark}(DO|ME|X)\\b`).join("|"));
  const found = sources.flatMap((source) =>
    source.lines.flatMap((line, index) => (marks.test(line) ? [`${source.path}:${index + 1}: ${line.trim()}`] : [])),
  );
  t.same(found, [], "what is left to do is an issue, not a comment");
});
