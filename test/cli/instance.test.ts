// The state file by which a restarted sidecar is known: made once, locked for the process's life, and where it lies by default.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { lastingWriter, passingWriter } from "../../src/cli/instance.ts";
import { defaultState } from "../../src/operate/paths.ts";

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

/** Holds a state folder in a process of its own, which says who it is and waits. */
async function holder(dir: string): Promise<{ id: string; lock: string; boot: string; kill(): Promise<void> }> {
  const instance = new URL("../../src/cli/instance.ts", import.meta.url).href;
  const script = `const { lastingWriter } = await import(${JSON.stringify(instance)});
    console.log(JSON.stringify(lastingWriter(${JSON.stringify(dir)}))); setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, [...process.execArgv, "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return { ...(JSON.parse(String(line)) as { id: string; lock: string; boot: string }), kill };
}

t.test("the instance stays over restarts, the start is new, and one process has it at a time", async (t) => {
  const dir = path.join(t.testdir(), "state", "sidecar");
  const first = await holder(dir);
  t.match(first.id, new RegExp(`^${UUID}/${UUID}$`));
  const file = path.join(dir, "instance");
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(statSync(dir).mode & 0o777, 0o700);
  t.equal(first.lock, `${statSync(file).dev}:${statSync(file).ino}`);
  t.throws(() => lastingWriter(dir), { code: "state-locked", message: /in use by process \d+ on \S+ since 2/, exitCode: 4 });
  await first.kill();
  const second = lastingWriter(dir);
  t.equal(second.id.split("/")[0], first.id.split("/")[0]);
  t.not(second.id, first.id);
  t.match(second, { lock: first.lock, boot: first.boot, pid: process.pid });
  t.throws(() => lastingWriter(dir), { code: "state-locked" }, "not even twice in one process");
});

t.test("a copied state file is the same instance under another lock", async (t) => {
  const root = t.testdir({ one: {}, two: {} });
  const first = lastingWriter(path.join(root, "one"));
  writeFileSync(path.join(root, "two", "instance"), readFileSync(path.join(root, "one", "instance")));
  const second = lastingWriter(path.join(root, "two"));
  t.equal(second.id.split("/")[0], first.id.split("/")[0]);
  t.not(second.lock, first.lock);
});

t.test("a state file that says nothing begins a new instance", async (t) => {
  for (const text of ["", "{", '{"instance":"../../etc"}', "null", '{"instance":7}']) {
    const dir = t.testdir({ instance: text });
    t.match(lastingWriter(dir).id, new RegExp(`^${UUID}/${UUID}$`), text);
  }
});

t.test("a state folder that cannot be used is said to be", async (t) => {
  const dir = t.testdir({ file: "" });
  t.throws(() => lastingWriter(path.join(dir, "file")), { code: "EEXIST" });
  t.throws(() => lastingWriter(t.testdir({ instance: {} })), { code: "EISDIR" });
});

t.test("who ends with the process has no lock", async (t) => {
  t.match(passingWriter(), { lock: null, pid: process.pid, id: new RegExp(`^${UUID}$`) });
  t.not(passingWriter().id, passingWriter().id);
});

t.test("where the state lies by default", async (t) => {
  t.equal(defaultState({ STATE_DIRECTORY: "/var/lib/seguro:/var/lib/other" }, "/run/s"), "/var/lib/seguro");
  const one = defaultState({ XDG_STATE_HOME: "/state" }, "/run/s");
  t.match(one, /^\/state\/seguro\/sidecar-[0-9a-f]{16}$/);
  t.equal(defaultState({ XDG_STATE_HOME: "/state", STATE_DIRECTORY: "relative" }, "/run/s"), one);
  t.not(defaultState({ XDG_STATE_HOME: "/state" }, "/run/other"), one);
});
