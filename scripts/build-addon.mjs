// Builds the native addon: with CMake through cmake-js, else with node-gyp and binding.gyp. Run by `npm install`, or by hand as
// `npm run build:addon`. Only this script starts either of them ("gypfile": false keeps npm from running node-gyp by itself).
// It is silent unless something fails or --verbose is given. SEGURO_BUILD=gyp forbids CMake, SEGURO_SKIP_ADDON=1 forbids the build.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const require = createRequire(import.meta.url);
const force = process.argv.includes("--force");
const verbose = process.argv.includes("--verbose") || process.env.npm_config_loglevel === "verbose";
const build = path.join(root, "build");
const target = path.join(build, "Release", "seguro.node");
const OUTPUT_BYTES_MAX = 64 << 20;

const install = "Debian: apt install cmake make g++";

function fail(text) {
  console.error(`seguro: ${text}`);
  process.exit(1);
}

function has(command) {
  return spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
}

/** Runs a build tool; what it prints is shown when it fails. */
function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: verbose ? "inherit" : "pipe", maxBuffer: OUTPUT_BYTES_MAX });
  if (result.status === 0) {
    return true;
  }
  if (!verbose) {
    process.stderr.write(Buffer.concat([result.stdout ?? Buffer.alloc(0), result.stderr ?? Buffer.alloc(0)]));
  }
  if (result.error !== undefined) {
    console.error(String(result.error));
  }
  return false;
}

/** Milliseconds of the newest change in a file or folder. */
function changedAt(name) {
  const at = path.join(root, name);
  const found = statSync(at);
  const within = found.isDirectory() ? readdirSync(at).map((inner) => changedAt(path.join(name, inner))) : [];
  return Math.max(found.mtimeMs, ...within);
}

/**
 * True when the addon is newer than everything it is made of. `npx seguro` in a clone links the clone into npx's cache and thereby runs our
 * install script: that must not rebuild, least of all under a sidecar that runs.
 */
function upToDate() {
  return (
    existsSync(target) && statSync(target).mtimeMs > Math.max(...["native", "CMakeLists.txt", "binding.gyp", "package.json"].map(changedAt))
  );
}

function buildWithCmake() {
  const cmakeJs = path.join(path.dirname(require.resolve("cmake-js/package.json")), "bin", "cmake-js");
  return run(process.execPath, [cmakeJs, "compile", "--parallel", "2"]);
}

/** npm names the node-gyp it carries; without npm around us we ask it for one. */
function buildWithGyp() {
  const carried = process.env.npm_config_node_gyp;
  return carried !== undefined && existsSync(carried)
    ? run(process.execPath, [carried, "rebuild"])
    : run("npm", ["exec", "--yes", "--", "node-gyp", "rebuild"]);
}

if (!force && process.env.SEGURO_SKIP_ADDON === "1") {
  console.log("seguro: SEGURO_SKIP_ADDON=1, the native addon is not built");
  process.exit(0);
}
if (!force && upToDate()) {
  process.exit(0);
}
if (!has("c++") && !has("g++") && !has("clang++")) {
  fail(`no C++ compiler found. Install one and run npm install again (${install}).`);
}
if (!has("make") && !has("ninja")) {
  fail(`no make found. Install it and run npm install again (${install}).`);
}
// An addon left by an earlier build must not pass for one that this build failed to make.
rmSync(target, { force: true });
const gyp = process.env.SEGURO_BUILD === "gyp" || !has("cmake");
if (gyp) {
  console.log("seguro: building with node-gyp and binding.gyp; libseguro, the C client, needs CMake and is left out");
}
if (!(gyp ? buildWithGyp() : buildWithCmake()) || !existsSync(target)) {
  fail(`the native addon was not built; the lines above say why. It needs make, a C++20 compiler and, better, cmake (${install}).`);
}
