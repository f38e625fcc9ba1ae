// A copy of the sources, translated to JavaScript, in which texts may be changed: deliberate faults, and limits small enough to be met often.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";

/** One change: in `file` (relative to the repository), `from`, which is there exactly once, becomes `to`. */
export interface Patch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** The limits of src/log, a few hundred times smaller: worlds meet them all the time, and cost little. */
export const SMALL_LIMITS: readonly Patch[] = [
  { from: "BLOCK_BYTES = 1 << 20", to: "BLOCK_BYTES = 2 << 10" },
  { from: "PIECE_BYTES = 4 << 20", to: "PIECE_BYTES = 8 << 10" },
  { from: "IN_FLIGHT_BYTES = 16 << 20", to: "IN_FLIGHT_BYTES = 64 << 10" },
  { from: "READ_BYTES = 1 << 20", to: "READ_BYTES = 2 << 10" },
  { from: "REMOTE_READ_BYTES = 4 << 20", to: "REMOTE_READ_BYTES = 4 << 10" },
  { from: "READ_SLACK_BYTES = 1 << 20", to: "READ_SLACK_BYTES = 2 << 10" },
].map((patch) => ({ file: "src/log/limits.ts", ...patch }));

const repository = path.resolve(import.meta.dirname, "../..");
const FOLDERS = ["src/log", "src/native", "src/store", "src/wire", "test/simulation"];
const FILES = ["src/ship.ts", "test/crash/random.ts"];

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};

/** Translated once, unchanged; what is patched is translated again. */
const translated = new Map<string, string>();

function filesBelow(folder: string): string[] {
  return readdirSync(path.join(repository, folder), { withFileTypes: true }).flatMap((entry) => {
    const at = path.join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(at) : at.endsWith(".ts") && !at.endsWith(".test.ts") ? [at] : [];
  });
}

function textOf(file: string): string {
  return readFileSync(path.join(repository, file), "utf8");
}

function translate(text: string): string {
  return ts.transpileModule(text, { compilerOptions: options }).outputText;
}

/** Applies the patches of one file. Throws when one does not apply: the code has changed, and the patch must follow. */
function patched(file: string, patches: readonly Patch[]): string {
  let text = textOf(file);
  for (const { from, to } of patches) {
    if (text.split(from).length !== 2) {
      throw new Error(`a patch of ${file} does not apply: ${JSON.stringify(from)} is there ${text.split(from).length - 1} times`);
    }
    text = text.replace(from, () => to);
  }
  return translate(text);
}

function outputOf(file: string, patches: readonly Patch[]): string {
  if (patches.length > 0) {
    return patched(file, patches);
  }
  const output = translated.get(file) ?? translate(textOf(file));
  translated.set(file, output);
  return output;
}

/** Makes the tree; `remove` deletes it. */
export function makeTree(patches: readonly Patch[]): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(path.join(tmpdir(), "seguro-simulation-"));
  const files = [...FOLDERS.filter((at) => existsSync(path.join(repository, at))).flatMap(filesBelow), ...FILES];
  for (const unknown of patches.filter(({ file }) => !files.includes(file))) {
    throw new Error(`a patch of ${unknown.file}, which is not in the tree`);
  }
  for (const file of files) {
    const to = path.join(folder, file.replace(/\.ts$/, ".js"));
    mkdirSync(path.dirname(to), { recursive: true });
    writeFileSync(
      to,
      outputOf(
        file,
        patches.filter((patch) => patch.file === file),
      ),
    );
  }
  writeFileSync(path.join(folder, "package.json"), '{ "type": "module" }');
  symlinkSync(path.join(repository, "node_modules"), path.join(folder, "node_modules"));
  symlinkSync(path.join(repository, "build"), path.join(folder, "build"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Imports a module of a tree. */
export async function importFrom<Module>(folder: string, file: string): Promise<Module> {
  return (await import(pathToFileURL(path.join(folder, file.replace(/\.ts$/, ".js"))).href)) as Module;
}
