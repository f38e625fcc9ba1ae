// Exports that nobody imports: dead code, or a name that should stay inside its file.
import t from "tap";
import ts from "typescript";
import { importsOf, isScript, nodesOf, type Source, sources, treeOf } from "./sources.ts";

/** Modules that are run rather than imported. */
const RUN = new Set(["src/cli/main.ts"]);

interface Exported {
  readonly name: string;
  readonly isType: boolean;
}

function isExported(node: ts.Node): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword);
}

function exportsOf(source: Source): Exported[] {
  return treeOf(source).statements.flatMap((node): Exported[] => {
    if (ts.isExportDeclaration(node) && node.exportClause !== undefined && ts.isNamedExports(node.exportClause)) {
      return node.exportClause.elements.map((element) => ({ name: element.name.text, isType: node.isTypeOnly }));
    }
    if (!isExported(node)) {
      return [];
    }
    if (ts.isVariableStatement(node)) {
      return node.declarationList.declarations.map((declaration) => ({ name: declaration.name.getText(), isType: false }));
    }
    if (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)) {
      return [{ name: node.name?.text ?? "default", isType: false }];
    }
    return ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) ? [{ name: node.name.text, isType: true }] : [];
  });
}

/** How often a name stands in a file. */
function uses(source: Source, name: string): number {
  return [...nodesOf(treeOf(source))].filter((node) => ts.isIdentifier(node) && node.text === name).length;
}

t.test("every export of src is used", async (t) => {
  const imported = new Set<string>();
  for (const source of sources.filter(isScript)) {
    for (const { from, names } of importsOf(source)) {
      for (const name of names) {
        imported.add(`${from} ${name}`);
      }
    }
  }
  const dead = sources
    .filter((source) => source.path.startsWith("src/") && !RUN.has(source.path))
    .flatMap((source) => {
      const all = imported.has(`${source.path} *`);
      return (
        exportsOf(source)
          .filter(({ name }) => !all && !imported.has(`${source.path} ${name}`))
          // The shape of something exported may be named, though nobody needs to.
          .filter(({ name, isType }) => !(isType && uses(source, name) > 1))
          .map(({ name }) => `${source.path}: ${name}`)
      );
    });
  t.same(dead, []);
});

t.test("every file of src is used", async (t) => {
  const used = new Set(sources.filter(isScript).flatMap((source) => importsOf(source).map(({ from }) => from)));
  const dead = sources.filter((source) => source.path.startsWith("src/") && !RUN.has(source.path) && !used.has(source.path));
  t.same(
    dead.map((source) => source.path),
    [],
  );
});
