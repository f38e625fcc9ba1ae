// What an engine must do that keeps its data in a folder: persistence across opens, and one opener at a time.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import path from "node:path";
import type { Test } from "tap";
import { StoreError } from "../../src/store/errors.ts";
import type { Kv } from "../../src/store/kv.ts";
import { eachRow } from "../../src/store/rows.ts";
import { commitOf, put } from "./kv.ts";

export type OpenIn = (dir: string) => Promise<Kv>;

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

async function contents(kv: Kv): Promise<string> {
  const rows = await kv.range(Buffer.alloc(0), Buffer.alloc(200, 0xff));
  return Array.from(eachRow(rows), ({ key, value }) => `${key}=${value}`).join(" ");
}

/** Promises of engines with a folder of their own; `name` is also the scheme of their URL. */
export function durability(t: Test, name: string, open: OpenIn): void {
  t.test(`${name}: what was committed is there after reopening`, async (t) => {
    const dir = path.join(t.testdir(), "a", "b");
    for (let n = 0; n < 5; n++) {
      const kv = await open(dir);
      await kv.commit([commitOf(put(`key${n}`, String(n)))]);
      await kv.close();
    }
    const kv = await open(dir);
    t.equal(await contents(kv), "key0=0 key1=1 key2=2 key3=3 key4=4");
    await kv.close();
    t.equal(statSync(dir).mode & 0o777, 0o700);
    t.equal(statSync(path.dirname(dir)).mode & 0o777, 0o700);
  });

  t.test(`${name}: a second opener is refused and told who has it, in this process and in another`, async (t) => {
    const dir = t.testdir();
    const kv = await open(dir);
    const own = await errorOf(open(dir).then((second) => second.close()));
    t.ok(own instanceof StoreError && own.code === "store-locked" && own.message.includes(`process ${process.pid} `), String(own));
    t.match(String(own), /since 2026/);
    await kv.close();
    await (await open(dir)).close();

    const child = spawn(process.execPath, [...process.execArgv, path.resolve(import.meta.dirname, "holder.ts"), `${name}:${dir}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const other = await errorOf(open(dir).then((second) => second.close()));
    t.ok(other instanceof StoreError && other.code === "store-locked" && other.message.includes(`process ${child.pid} `), String(other));
    child.kill("SIGKILL");
    await once(child, "exit");
    const again = await open(dir);
    t.equal(await contents(again), "held=yes", "the kernel releases the lock of a killed process");
    await again.close();
  });
}
