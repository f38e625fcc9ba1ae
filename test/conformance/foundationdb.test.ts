// The FoundationDB engine keeps the promises of the interface on a real cluster: one of its own, or the running one that FDB_CLUSTER_FILE names.
import t from "tap";
import { systemTime } from "../../src/operate/clock.ts";
import { openKv } from "../../src/store/open.ts";
import { Cluster } from "../foundationdb/cluster.ts";
import { withoutCluster } from "../foundationdb/installed.ts";
import { conformance } from "./kv.ts";

const running = process.env.FDB_CLUSTER_FILE;

t.test("on a real cluster", { skip: running === undefined && withoutCluster }, async (t) => {
  const own = running === undefined ? await Cluster.start() : null;
  t.teardown(() => own?.stop());
  const clusterFile = running ?? own?.clusterFile;
  let engines = 0;
  conformance(t, "foundationdb", async () => {
    engines++;
    const url = `foundationdb:${clusterFile}?prefix=conformance/${process.pid}-${engines}/`;
    const kv = await openKv(url, { startedAt: "", time: systemTime });
    const done = async () => {
      await kv.close();
      const again = await openKv(url, { startedAt: "", time: systemTime });
      const last = Buffer.alloc(300, 0xff);
      await again.commit([
        {
          checks: [],
          writes: [
            { kind: "delete-range", from: Buffer.alloc(0), to: last },
            { kind: "delete", key: last },
          ],
        },
      ]);
      await again.close();
    };
    return { kv, done };
  });
});
