// What the core must not reach for: clocks, timers, randomness and the environment are passed in, so that it can be simulated.
import t from "tap";
import ts from "typescript";
import { isScript, lineOf, nodesOf, roomOf, type Source, sources, treeOf } from "./sources.ts";

const CORE = new Set(["wire", "log", "store", "session", "transport", "client", "native"]);
const BANNED_MEMBERS = new Set([
  "Date.now",
  "Math.random",
  "process.env",
  "process.exit",
  "performance.now",
  "process.hrtime",
  "crypto.randomUUID",
]);
const BANNED_NAMES = new Set(["setTimeout", "setInterval", "randomUUID", "randomBytes", "hrtime"]);
/** Functions of C that write without a bound, or keep hidden state. */
const BANNED_NATIVE = /\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|rand|srand|system|popen|tmpnam|mktemp)\s*\(/;

/** The banned thing a node is, or null. */
function banned(node: ts.Node): string | null {
  if (ts.isPropertyAccessExpression(node)) {
    const text = node.getText();
    return BANNED_MEMBERS.has(text) ? text : /^console\.\w+$/.test(text) ? text : null;
  }
  if (ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments?.length ?? 0) === 0) {
    return "new Date()";
  }
  if (ts.isIdentifier(node) && BANNED_NAMES.has(node.text)) {
    // A method of something else, as socket.setTimeout, is that thing's own business.
    const parent = node.parent;
    return ts.isPropertyAccessExpression(parent) && parent.name === node ? null : node.text;
  }
  return null;
}

function scripts(): Source[] {
  return sources.filter(isScript);
}

t.test("the core has no clock, timer, randomness or environment of its own", async (t) => {
  const core = scripts().filter((source) => source.path.startsWith("src/") && CORE.has(roomOf(source.path)));
  t.ok(core.length > 40, "the core was found");
  const found = core.flatMap((source) =>
    [...nodesOf(treeOf(source))].flatMap((node) => {
      const what = banned(node);
      return what === null ? [] : [`${source.path}:${lineOf(node)}: ${what}`];
    }),
  );
  t.same(found, []);
});

t.test("no `any`", async (t) => {
  const found = scripts().flatMap((source) =>
    [...nodesOf(treeOf(source))].filter((node) => node.kind === ts.SyntaxKind.AnyKeyword).map((node) => `${source.path}:${lineOf(node)}`),
  );
  t.same(found, []);
});

t.test("no comment that silences a checker without a reason", async (t) => {
  const silencer = /@ts-(ignore|nocheck)|@ts-expect-error\s*$|biome-ignore(?! \S+: \S)|NOLINT(?!\S*: \S)/;
  const found = sources
    .filter((source) => source.path !== "test/tidy/calls.test.ts")
    .flatMap((source) =>
      source.lines.flatMap((line, index) => (silencer.test(line) ? [`${source.path}:${index + 1}: ${line.trim()}`] : [])),
    );
  t.same(found, []);
});

t.test("native code calls nothing that writes without a bound", async (t) => {
  const found = sources
    .filter((source) => source.path.startsWith("native/"))
    .flatMap((source) =>
      source.lines.flatMap((line, index) =>
        BANNED_NATIVE.test(line.replace(/\/\/.*|^ *\*.*/, "")) ? [`${source.path}:${index + 1}: ${line.trim()}`] : [],
      ),
    );
  t.same(found, []);
});
