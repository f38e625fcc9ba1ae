// Guarded work: results, errors and crashes of the child process arrive as they should, and it never outlives its parent.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import t from "tap";
import { runGuarded } from "../../src/pier/guard.ts";

interface Progress {
  id: bigint;
}

const child = new URL("./guarded.ts", import.meta.url);
const describe = (progress: Progress) => `event ${progress.id}`;
const run = (input: { how: string }, onProgress?: (progress: Progress) => void, signal?: AbortSignal) =>
  runGuarded<{ how: string }, Progress, unknown>(child, input, onProgress, { describe, ...(signal ? { signal } : {}) });

t.test("a result and its progress", async (t) => {
  const seen: Progress[] = [];
  const result = await run({ how: "answer" }, (progress) => seen.push(progress));
  t.strictSame(result, { big: 2n ** 63n, bytes: Buffer.from("abc"), how: "answer" });
  t.strictSame(seen, [{ id: 1n }, { id: 2n }]);
});

t.test("errors pass through", async (t) => {
  await t.rejects(run({ how: "pier-error" }), { name: "PierError", code: "pier-gap", message: "a gap", hint: "a hint" });
  await t.rejects(run({ how: "other-error" }), { name: "TypeError", message: "odd", code: "ODD" });
});

t.test("crashes become errors that say how far it came", async (t) => {
  await t.rejects(run({ how: "SIGBUS" }), { code: "pier-damaged", message: /\(SIGBUS\) after event 7/ });
  await t.rejects(run({ how: "exit" }), { code: "pier-reader-failed", message: /code 3/ });
  await t.rejects(runGuarded(new URL("./no-such-file.ts", import.meta.url), {}), { code: "pier-reader-failed" });
});

t.test("ending it early", async (t) => {
  const stop = new AbortController();
  const reason = new Error("enough");
  await t.rejects(
    run({ how: "wait" }, () => stop.abort(reason), stop.signal),
    reason,
  );
  await t.rejects(
    run({ how: "wait" }, () => undefined, stop.signal),
    reason,
  );
  await t.rejects(
    run({ how: "wait" }, () => {
      throw reason;
    }),
    reason,
    "a progress handler that throws ends it too",
  );
});

t.test("the child ends with its parent", async (t) => {
  const parent = fork(new URL("./guarded-parent.ts", import.meta.url), { execArgv: process.execArgv });
  const pid = await new Promise<number>((resolve) => parent.once("message", (message) => resolve(message as number)));
  t.ok(process.kill(pid, 0), "it runs");
  parent.kill("SIGKILL");
  // Where nobody collects orphans (a container without an init) it stays in the table of processes, dead.
  const gone = () => {
    try {
      return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return true;
    }
  };
  const deadline = performance.now() + 60_000;
  while (!gone() && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.ok(gone(), "it is gone");
});
