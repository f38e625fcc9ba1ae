// A process that opens a store, writes one row, says so, and holds it until it is killed.
import { systemTime } from "../../src/operate/clock.ts";
import { openKv } from "../../src/store/open.ts";

const kv = await openKv(process.argv[2] ?? "", { startedAt: "2026-01-02T00:00:00Z", time: systemTime });
await kv.commit([{ checks: [], writes: [{ kind: "put", key: Buffer.from("held"), value: [Buffer.from("yes")] }] }]);
process.stdout.write("held\n");
process.stdin.resume();
setInterval(() => kv.stats(), 1000);
