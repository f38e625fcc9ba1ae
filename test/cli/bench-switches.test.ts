// The switches for benchmarks are refused wherever they could cost somebody an event.
import t from "tap";
import { benchSwitches } from "../../src/cli/bench-switches.ts";

const stores = ["lmdb:/somewhere", "memory:", "foundationdb:"];

t.test("without the variable nothing is switched off", async (t) => {
  for (const store of stores) {
    t.same(benchSwitches({}, store), { digests: true, discards: false }, store);
  }
});

t.test("only a store that keeps nothing anyway may be switched", async (t) => {
  t.same(benchSwitches({ SEGURO_BENCH: "no-digests" }, "memory:"), { digests: false, discards: false });
  t.same(benchSwitches({ SEGURO_BENCH: "no-digests,discard" }, "memory:"), { digests: false, discards: true });
  for (const store of stores.filter((name) => name !== "memory:")) {
    for (const text of ["no-digests", "no-digests,discard"]) {
      t.throws(() => benchSwitches({ SEGURO_BENCH: text }, store), { code: "usage" }, `${text} with ${store}`);
    }
  }
  t.throws(() => benchSwitches({ SEGURO_BENCH: "discard" }, "memory:"), "a word it does not know");
});
