// The processes of the demo: the `seguro` command as users run it, the sidecar, and the C program linked with libseguro.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

const root = path.resolve(import.meta.dirname, "../..");
const main = path.join(root, "dist/cli/main.js");

export class DemoError extends Error {}

async function ended(child, what) {
  const [code, signal] = await once(child, "close");
  if (code !== 0) {
    throw new DemoError(`${what} ended with ${signal ?? `exit code ${code}`}`);
  }
}

/** Runs a verb of `seguro` with --json; its progress and warnings go to our stderr. Gives the object that it printed. */
export async function seguro(...args) {
  const child = spawn(process.execPath, [main, ...args, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const chunks = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  const [code, signal] = await once(child, "close");
  const text = Buffer.concat(chunks).toString();
  if (code !== 0) {
    throw new DemoError(`seguro ${args[0]} ended with ${signal ?? `exit code ${code}`}: ${text.trim()}`);
  }
  return JSON.parse(text);
}

/** Starts `seguro serve` and resolves when it accepts connections. `stop` ends it in good order. */
export async function serve(socket, store) {
  if (!existsSync(main)) {
    throw new DemoError("dist/ is not built: run npm install (or npm run build) first");
  }
  const args = [main, "serve", "--socket", socket, "--store", store, "--log-level", "warn"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const end = ended(child, "the sidecar");
  await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    end.then(() => {
      throw new DemoError("the sidecar ended before it was ready");
    }),
  ]);
  return {
    pid: child.pid,
    kill: () => child.kill("SIGKILL"),
    stop: async () => {
      child.kill("SIGTERM");
      await end;
    },
  };
}

function compiler() {
  return ["cc", "gcc", "clang"].find((command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0);
}

/** The C client: as CMake built it, else compiled here into `folder`. */
export function findClient(folder, say) {
  const built = path.join(root, "build/native/client/seguro-demo");
  if (existsSync(built)) {
    return built;
  }
  const cc = compiler();
  if (cc === undefined) {
    throw new DemoError("the C client is not built and there is no C compiler (Debian: apt install cmake make g++, then npm install)");
  }
  say(`CMake has not built libseguro here (no ${path.relative(root, built)}); compiling the client with ${cc}`);
  const native = path.join(root, "native");
  const client = path.join(native, "client");
  const sources = readdirSync(client).filter((name) => name.endsWith(".c"));
  const output = path.join(folder, "seguro-demo");
  const includes = [client, native, path.join(native, "include")].map((at) => `-I${at}`);
  const files = [...sources.map((name) => path.join(client, name)), path.join(client, "demo/seguro_demo.c")];
  const { status, stderr } = spawnSync(cc, ["-std=gnu11", "-O2", ...includes, ...files, "-o", output], { encoding: "utf8" });
  if (status !== 0) {
    throw new DemoError(`${cc} could not compile the C client:\n${stderr}`);
  }
  return output;
}

/** Runs the C client; `hasher` gets its stdout. Gives the JSON that it writes to stderr. */
export async function runClient(client, args, hasher) {
  const child = spawn(client, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stderr.on("data", (chunk) => {
    text += chunk.toString();
  });
  const end = ended(child, `seguro-demo ${args[2]}`);
  // Looked at below, or never, when the hasher refuses an event first.
  end.catch(() => undefined);
  for await (const chunk of child.stdout) {
    hasher.push(chunk);
  }
  await end.catch((error) => {
    throw new DemoError(`${error.message}: ${text.trim()}`);
  });
  hasher.end();
  return JSON.parse(text.trimEnd().split("\n").at(-1));
}
