// `seguro repair` where more is gone than bytes, where it fails half-way, and where it is killed.
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { tempFolder } from "../client/fake-server.ts";
import { seguroJson, spawnSeguro } from "./command.ts";
import { find, flip, makeStore, statesOf } from "./damaged-journal.ts";

const KILLS = 8;

t.test("a segment that is gone, and all of them", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const dir = await makeStore(folder, 30n, 60_000);
  const all = path.join(folder, "all");
  cpSync(dir, all, { recursive: true });
  rmSync(find(dir, "~nec", 15n).file);
  t.match(await seguroJson(["verify", "~zod", "--store", `journal:${dir}`]), {
    code: 5,
    json: { error: { code: "store-damaged", message: /nothing is left of the store before that/, hint: /seguro repair/ } },
    stderr: /segment before .* is missing.*~zod log 1: events \d+ to 30.*~nec log 1: events \d+ to 30/s,
  });
  rmSync(path.join(all, "segments"), { recursive: true });
  for (const store of [`journal:${dir}`, `journal:${all}`]) {
    t.match(await seguroJson(["repair", store, "--cut"]), { code: 0, json: { cut: true } });
    t.match(await seguroJson(["repair", store, "--cut"]), { code: 4 });
    t.match(await seguroJson(["list", "--store", store]), { code: 0 });
  }
});

t.test("killed while it cuts: the damage is there still, or the log is cut and says so; it may be called again", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const sound = await makeStore(folder, 20n, 3000);
  flip(sound, "~nec", 15n);
  const started = Date.now();
  const whole = path.join(folder, "timed");
  cpSync(sound, whole, { recursive: true });
  t.match(await seguroJson(["repair", `journal:${whole}`, "--cut"]), { code: 0 });
  const takesMs = Date.now() - started;
  for (let i = 0; i < KILLS; i++) {
    const dir = path.join(folder, `killed${i}`);
    cpSync(sound, dir, { recursive: true });
    const store = `journal:${dir}`;
    const child = spawnSeguro(["repair", store, "--cut"]);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const afterMs = (takesMs * (0.4 + (0.6 * i) / KILLS)) | 0;
    setTimeout(() => child.kill("SIGKILL"), afterMs);
    await ended;
    const again = await seguroJson(["repair", store, "--cut"]);
    t.ok(
      again.code === 0 || (again.code === 4 && (again.json.error as { code: string }).code === "no-damage"),
      `killed after ${afterMs} ms`,
    );
    t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
    t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 5, json: { events: "14" } });
    rmSync(dir, { recursive: true });
  }
});

t.test("a cut that fails has marked the logs before: whatever comes next, they do not look whole", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const dir = await makeStore(folder, 20n, 3000);
  const store = `journal:${dir}`;
  const { file } = find(dir, "~nec", 15n);
  const sound = readFileSync(file);
  flip(dir, "~nec", 15n);
  // Nothing can be put aside where a file has the folder's name.
  const inTheWay = Array.from({ length: 20 }, (_, n) => path.join(dir, "segments", `cut-${n}`));
  for (const name of inTheWay) writeFileSync(name, "");
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 1, json: { error: { code: "store-failed" } } });
  t.match(await seguroJson(["repair", store]), { code: 5 }, "the damage is as it was");
  for (const name of inTheWay) rmSync(name);
  // As if a better copy of the file had been found instead.
  const damaged = readFileSync(file);
  writeFileSync(file, sound);
  t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
  writeFileSync(file, damaged);
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 0 });
  t.match(await seguroJson(["repair", store, "~nec", "--accept"]), { code: 0, json: { accepted: [{ logs: [1] }] } });
  t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 0, json: { events: "14" } });
});

t.test("a base that is damaged cannot be cut", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const dir = await makeStore(folder, 2n, 3000);
  writeFileSync(path.join(dir, "base/data.mdb"), Buffer.alloc(16_384, 7));
  for (const more of [[], ["--cut"]]) {
    t.match(await seguroJson(["repair", `journal:${dir}`, ...more]), {
      code: 5,
      json: { error: { code: "store-damaged", hint: /from a backup/ } },
    });
  }
});
