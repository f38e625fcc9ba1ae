// Journal stores with real damage: what verbs say and still do, `seguro repair` without and with --cut, and which logs stay closed afterwards.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { openJournal } from "../../src/store/journal.ts";
import { tempFolder } from "../client/fake-server.ts";
import { seguro, seguroJson, serve } from "./command.ts";
import { find, flip, makeStore, payloadOf, segmentsOf, startedAt, statesOf } from "./damaged-journal.ts";

const contents = (dir: string): Buffer[] => segmentsOf(dir).map((file) => readFileSync(file));

t.test("damage in the middle: told, read before it, cut, and accepted ship by ship", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const dir = await makeStore(folder, 30n, 3000);
  const store = `journal:${dir}`;
  const file = flip(dir, "~nec", 15n);
  const before = contents(dir);

  const verify = await seguroJson(["verify", "~nec", "--store", store]);
  t.match(verify, {
    code: 5,
    json: { events: "14", damage: [], storeDamage: { places: [{ file, offset: Number, what: String }] } },
    stderr: /DAMAGE in the commit log.*before the damage/s,
  });
  const { logs } = verify.json.storeDamage as { logs: object[] };
  t.match(logs, [
    { ship: "~zod", log: 1, lost: { first: "15", last: "30" } },
    { ship: "~nec", log: 1, lost: { first: "15", last: "30" } },
    { ship: "~bus", log: 2, lost: null },
  ]);
  t.match(await seguroJson(["verify", "~bus", "--log", "1", "--store", store]), { code: 5, json: { events: "1", damage: [] } });
  t.match(await seguroJson(["list", "--store", store]), {
    code: 5,
    json: { ships: [{ ship: "~zod" }, { ship: "~nec" }, { ship: "~bus" }] },
  });
  t.match(await seguroJson(["status", "--store", store]), { code: 5, json: { storeDamage: { wholeLostRecords: 32 } } });
  const closed = { code: 5, json: { error: { code: "store-damaged", hint: /seguro repair journal:/ } } };
  t.match(await seguroJson(["serve", "--store", store, "--socket", path.join(folder, "s")]), closed);
  t.match(await seguroJson(["retire", "~nec", "--store", store]), closed);

  const out = path.join(folder, "out");
  const restore = ["restore", "~nec", out, "--life", "5", "--vere-version", "4.6", "--store", store];
  t.match(await seguroJson(restore), { code: 5, json: { error: { code: "store-damaged", hint: /--damaged/ } } });
  t.notOk(existsSync(out));
  t.match(await seguroJson([...restore, "--damaged"]), { code: 5, json: { events: "14", neverBoot: true } });
  t.match(readFileSync(path.join(out, "NEVER-BOOT-THIS-PIER.txt"), "utf8"), /before a damage/);

  t.match(await seguro(["repair", store]), {
    code: 5,
    stdout: /at byte \d+: .*\nwhole: everything up to record \d+.*~nec log 1: events 15 to 30\n/s,
    stderr: /nothing was changed/,
  });
  t.ok(
    contents(dir).every((bytes, i) => bytes.equals(before[i] ?? Buffer.alloc(0))),
    "nothing was changed",
  );

  const holder = openJournal(dir, { startedAt, readOnly: true, beforeDamage: true });
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 4, json: { error: { code: "store-locked" } } });
  await holder.close();

  const cut = await seguroJson(["repair", store, "--cut"]);
  t.match(cut, { code: 0, json: { cut: true, aside: String }, stderr: /stay closed.*--accept/s });
  const copies = readdirSync(String(cut.json.aside)).map((name) => readFileSync(path.join(String(cut.json.aside), name)));
  t.ok(
    copies.some((copy) => before.some((bytes) => bytes.equals(copy) && copy.includes("~nec-event-20;"))),
    "a copy as it was",
  );
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 4, json: { error: { code: "no-damage" } } });
  t.match(await seguroJson(["repair", store]), { code: 0, json: { damage: null } });

  t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
  t.match(await seguroJson(["verify", "~bus", "--log", "1", "--store", store]), { code: 0, json: { events: "1" } });
  t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 5, json: { events: "14" } });
  t.match(await seguroJson([...restore.slice(0, 2), `${out}2`, ...restore.slice(3)]), {
    json: { error: { code: "store-damaged", message: /cut at record \d+.*up to event 30/, hint: /--accept ~nec/ } },
  });
  t.match(await seguroJson(["repair", store, "~nec", "--accept"]), { code: 0, json: { accepted: [{ ship: "~nec", logs: [1] }] } });
  t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 0, json: { events: "14" } });

  const serving = await serve(["--store", store, "--socket", path.join(folder, "s")]);
  t.teardown(() => serving.process.kill("SIGKILL"));
  t.match(await seguroJson(["repair", store]), { code: 4, json: { error: { code: "store-locked" } } }, "a sidecar has it open");
  const zod = await Client.connect(serving.socket, "~zod");
  await t.rejects(zod.open({ role: "write" }), { code: "store-damaged" });
  await zod.close();
  const nec = await Client.connect(serving.socket, "~nec");
  t.match(await nec.open({ role: "write" }), { height: 14n });
  await nec.append(encodeRecords(15n, [payloadOf("~nec", 15n, 3000)]));
  await nec.acknowledged(15n);
  await nec.close();
  await serving.end("SIGTERM");
  t.match(await seguroJson(["verify", "~nec", "--store", store]), { code: 0, json: { events: "15" } });

  t.comment("a second damage: the mark of the first was deleted by a record, which must not delete that of the second");
  flip(dir, "~nec", 15n);
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 0 });
  t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
});

t.test("damage in the last commit: nobody knows whose it was, so every log that could be written stays closed", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const dir = await makeStore(folder, 5n, 3000);
  const store = `journal:${dir}`;
  // The last commits are small records of the sessions' ends.
  const bytes = readFileSync(find(dir, "~zod", 5n).file);
  let last = -1;
  for (let at = 4096; at < bytes.length; at += 512) if (bytes.readBigUInt64LE(at + 496) > 0n) last = at;
  bytes.writeUInt8(bytes.readUInt8(last + 8) ^ 1, last + 8);
  writeFileSync(find(dir, "~zod", 5n).file, bytes);
  const found = await seguroJson(["repair", store]);
  t.match(found, {
    code: 5,
    json: {
      wholeLostRecords: 0,
      logs: [
        { ship: "~zod", lost: null },
        { ship: "~nec", lost: null },
        { ship: "~bus", log: 2, lost: null },
      ],
    },
  });
  t.match(await seguroJson(["repair", store, "--cut"]), { code: 0 });
  t.same(await statesOf(store), { "~bus": "retired", "~nec": "damaged", "~zod": "damaged" });
  t.match(await seguroJson(["repair", store, "~nec", "~zod", "--accept"]), { code: 0 });
  t.match(await seguroJson(["verify", "~zod", "--store", store]), { code: 0, json: { events: "5" } });
});

t.test("usage", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  for (const args of [["lmdb:x"], ["journal:x", "~zod"], ["journal:x", "--accept"], ["journal:x", "~zod", "--accept", "--cut"]]) {
    t.match(await seguroJson(["repair", ...args]), { code: 2, json: { error: { code: "usage" } } });
  }
  t.match(await seguroJson(["repair", `journal:${folder}/none`]), { code: 1, json: { error: { code: "store-missing" } } });
});
