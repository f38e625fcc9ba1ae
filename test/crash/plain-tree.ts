// Sources as plain JavaScript in a folder of their own, so that a child process starts in milliseconds, without tap's loader.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

const repository = path.resolve(import.meta.dirname, "../..");

/** Compiles the given folders (no types checked) below `dir`, beside links to the built addon and to node_modules; returns `dir`. */
export function plainTree(dir: string, folders: readonly string[]): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, "package.json"), '{"type":"module"}\n');
  for (const name of ["build", "node_modules"]) symlinkSync(path.join(repository, name), path.join(dir, name));
  for (const folder of folders) {
    mkdirSync(path.join(dir, folder), { recursive: true });
    for (const file of readdirSync(path.join(repository, folder)).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))) {
      const compilerOptions = {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        rewriteRelativeImportExtensions: true,
        verbatimModuleSyntax: true,
      };
      const source = readFileSync(path.join(repository, folder, file), "utf8");
      const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: file });
      writeFileSync(path.join(dir, folder, file.replace(/\.ts$/, ".js")), outputText);
    }
  }
  return dir;
}
