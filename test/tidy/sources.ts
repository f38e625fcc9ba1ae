// The project's own files, read once: paths, lines, and syntax trees of the TypeScript ones.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

export const repository = path.resolve(import.meta.dirname, "../..");

const SKIPPED = new Set(["node_modules", "fixtures", "corpus", "build", "dist"]);
const CODE = /\.(ts|mjs|c|cc|h)$/;

export interface Source {
  /** Relative to the repository: "src/log/tail.ts". */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

export interface Import {
  /** Relative to the repository for the project's own modules, else as written: "node:net". */
  readonly from: string;
  /** Names taken; "*" for all of them. */
  readonly names: readonly string[];
}

function filesBelow(folder: string): string[] {
  return readdirSync(path.join(repository, folder), { withFileTypes: true }).flatMap((entry) => {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      return SKIPPED.has(entry.name) || entry.name.startsWith("build-") ? [] : filesBelow(at);
    }
    return CODE.test(entry.name) ? [at] : [];
  });
}

function load(file: string): Source {
  const text = readFileSync(path.join(repository, file), "utf8");
  return { path: file, text, lines: text.replace(/\n$/, "").split("\n") };
}

/** Every source file of the project, of all languages. */
export const sources: readonly Source[] = ["src", "native", "test", "bench", "scripts"].flatMap(filesBelow).map(load);

export function isScript(source: Source): boolean {
  return /\.(ts|mjs)$/.test(source.path);
}

/** The room of a file below src: "log"; "" for what lies beside the rooms. */
export function roomOf(file: string): string {
  const parts = file.split("/");
  return parts.length > 2 ? (parts[1] ?? "") : "";
}

const trees = new Map<string, ts.SourceFile>();

export function treeOf(source: Source): ts.SourceFile {
  const known = trees.get(source.path);
  if (known !== undefined) {
    return known;
  }
  const tree = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ES2023, true);
  trees.set(source.path, tree);
  return tree;
}

/** Every node of a tree, parents first. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  for (const child of children) {
    yield* nodesOf(child);
  }
}

export function lineOf(node: ts.Node): number {
  const tree = node.getSourceFile();
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

/** The module a specifier means. Compiled modules stand for their sources: "../dist/pier/read.js" is "src/pier/read.ts". */
function resolve(source: Source, specifier: string): string {
  if (!specifier.startsWith(".")) {
    return specifier;
  }
  const at = path.join(path.dirname(source.path), specifier);
  return at.startsWith("dist/") ? at.replace(/^dist\//, "src/").replace(/\.js$/, ".ts") : at;
}

function namesOf(clause: ts.ImportClause | undefined): string[] {
  const bindings = clause?.namedBindings;
  const named =
    bindings === undefined
      ? []
      : ts.isNamespaceImport(bindings)
        ? ["*"]
        : bindings.elements.map((element) => (element.propertyName ?? element.name).text);
  return clause?.name === undefined ? named : ["default", ...named];
}

function importOf(source: Source, node: ts.Node): Import | null {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return { from: resolve(source, node.moduleSpecifier.text), names: namesOf(node.importClause) };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
    const clause = node.exportClause;
    const names =
      clause !== undefined && ts.isNamedExports(clause)
        ? clause.elements.map((element) => (element.propertyName ?? element.name).text)
        : ["*"];
    return { from: resolve(source, node.moduleSpecifier.text), names };
  }
  // import("./x.ts"), new URL("./x.ts", import.meta.url), and paths of modules that are run as a process or a worker.
  if (ts.isStringLiteral(node) && /^\.\.?\/.*\.(ts|js|mjs)$/.test(node.text) && !ts.isImportDeclaration(node.parent)) {
    return { from: resolve(source, node.text), names: ["*"] };
  }
  return null;
}

/** What a file imports, statically or not. */
export function importsOf(source: Source): Import[] {
  return [...nodesOf(treeOf(source))].map((node) => importOf(source, node)).filter((found) => found !== null);
}
