// Two processes under one writer's id, which no two starts have: of their claims of one ship one writes, the other is told so, and neither hangs.
import t from "tap";
import { BEAT_EVERY_MS } from "../../src/log/beat.ts";
import { systemTime } from "../../src/operate/clock.ts";
import { FoundationKv } from "../../src/store/foundationdb/engine.ts";
import { FakeDatabase } from "../store/foundationdb-fake.ts";
import { identity, openLogs, Probe, readBack } from "./probe.ts";
import { TurnedClock } from "./shared.ts";

/** Appends one event; "acknowledged", or what its session was told instead. */
async function append(probe: Probe, text: string): Promise<unknown> {
  const id = probe.height + 1n;
  probe.push(id, [Buffer.from(text)]);
  return (await probe.acknowledged(id)) ?? "acknowledged";
}

for (const together of [true, false]) {
  t.test(together ? "both claim at the same moment" : "one claims after the other", { timeout: 20_000 }, async (t) => {
    const database = new FakeDatabase();
    const clock = new TurnedClock();
    const start = async () => {
      const kv = new FoundationKv(database, { prefix: Buffer.from("s/"), time: systemTime });
      return { kv, logs: await openLogs(kv, { writer: identity, clock }) };
    };
    const processes = [await start(), await start()];
    const outcomes: unknown[] = [];
    const probes: Probe[] = [];
    const claims = processes.map(
      ({ logs }) =>
        () =>
          Probe.claim(logs).catch((error: unknown) => error),
    );
    const claimed = together ? await Promise.all(claims.map((claim) => claim())) : [await claims[0]?.(), await claims[1]?.()];
    for (const [index, probe] of claimed.entries()) {
      if (probe instanceof Probe) probes.push(probe);
      outcomes.push(probe instanceof Probe ? await append(probe, `of process ${index}`) : probe);
    }
    const told = outcomes.filter((outcome) => outcome !== "acknowledged");
    t.equal(told.length, 1, "one writes");
    t.match(told[0], { code: /^(ship-busy|fenced)$/ }, "the other is refused, or hears that it was replaced");
    // They renew one beat in turn: what they write is not refused for ever because it was there before.
    await clock.turn(3 * BEAT_EVERY_MS);
    for (const probe of probes) await probe.release();
    for (const { kv, logs } of processes) {
      t.same(Array.from((await readBack(kv, logs)).values(), String), [`of process ${outcomes.indexOf("acknowledged")}`]);
      await logs.close();
      await kv.close();
    }
  });
}
