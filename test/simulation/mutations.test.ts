// What the simulation is worth: each deliberate fault in the shipped code makes some world fail, and the same worlds hold without it.
import t from "tap";
import { MUTATIONS } from "./mutations.ts";
import { importFrom, makeTree, SMALL_LIMITS } from "./tree.ts";

type Run = typeof import("./run.ts");

/** Within so many worlds. */
const SEEDS = 800;

function load(folder: string): Promise<Run> {
  return importFrom<Run>(folder, "test/simulation/run.ts");
}

t.test("deliberate faults are found", async (t) => {
  const shipped = makeTree(SMALL_LIMITS);
  t.teardown(shipped.remove);
  const whole = await load(shipped.folder);
  for (const { name, patches, wrap } of MUTATIONS) {
    const { folder, remove } = makeTree([...SMALL_LIMITS, ...(patches ?? [])]);
    const broken = await load(folder);
    let found: string | null = null;
    for (let seed = 1; seed <= SEEDS && found === null; seed++) {
      const [wrong] = (await broken.runSeed(seed, wrap)).wrong;
      if (wrong !== undefined) {
        t.same((await whole.runSeed(seed)).wrong, [], `world ${seed} holds with the code as it is`);
        found = `world ${seed}: ${wrong}`;
      }
    }
    t.ok(found !== null, `${name} (${found})`);
    remove();
  }
});
