// A session ends while the store has no room: its ship must be free for other machines as soon as there is room again.
import t from "tap";
import { StoreError } from "../../src/store/errors.ts";
import { keys } from "../../src/store/layout.ts";
import { Probe, zod } from "./probe.ts";
import { sharedKv, startProcess, turnAll } from "./shared.ts";

t.test("a claim that cannot be released for want of room is released when there is room", async (t) => {
  const kv = sharedKv();
  const first = await startProcess(kv, { id: "one/1", host: "machine-one", pid: 11, boot: "boot one" });
  const second = await startProcess(kv, { id: "two/1", host: "machine-two", pid: 22, boot: "boot two" });
  const writer = await Probe.claim(first.logs);
  const epochKey = keys.epoch(zod);
  kv.fate = (group) =>
    group.some(({ writes }) => writes.some((write) => write.kind === "put" && write.key.equals(epochKey)))
      ? { error: new StoreError("store-full", "no room", "make room"), applied: false }
      : "done";
  await writer.release();
  await turnAll([first, second], 5_000);
  t.notMatch(JSON.parse(String(await kv.get(epochKey))), { released: true }, "the store had no room for it");
  kv.fate = () => "done";
  await turnAll([first, second], 5_000);
  t.match(JSON.parse(String(await kv.get(epochKey))), { epoch: 1, released: true });
  const next = await Probe.claim(second.logs);
  t.equal(next.height, 0n, "another machine has the ship without a wait");
});
