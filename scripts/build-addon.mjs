// Builds the native addon: with CMake through cmake-js, else with node-gyp and binding.gyp. Run by `npm install`, or by hand as
// `npm run build:addon`. Only this script starts either of them ("gypfile": false keeps npm from running node-gyp by itself).
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const require = createRequire(import.meta.url);
const force = process.argv.includes("--force");
const target = path.join(root, "build", "Release", "seguro.node");

function has(command) {
  return spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  return result.status === 0;
}

function build() {
  if (has("cmake") && process.env.SEGURO_BUILD !== "gyp") {
    const cmakeJs = path.join(path.dirname(require.resolve("cmake-js/package.json")), "bin", "cmake-js");
    return run(process.execPath, [cmakeJs, "compile", "--silent"]);
  }
  console.log("seguro: no CMake here, building with node-gyp and binding.gyp");
  return run("npm", ["exec", "--yes", "--", "node-gyp", "rebuild"]);
}

if (!has("c++") && !has("g++") && !has("clang++")) {
  console.error("seguro: no C++ compiler found. Install one (Debian: apt install g++ make cmake) and run npm install again.");
  process.exit(1);
}
if (!force && process.env.SEGURO_SKIP_ADDON === "1") {
  console.log("seguro: SEGURO_SKIP_ADDON=1, the native addon is not built");
  process.exit(0);
}
if (!build() || !existsSync(target)) {
  console.error(
    "seguro: the native addon was not built; the lines above say why. It needs cmake, make and a C++20 compiler (Debian: apt install cmake make g++).",
  );
  process.exit(1);
}
