// Thousands of simulated worlds: the shipped engine and logs over a cluster on which everything goes wrong, judged by the promise.
import t, { type Test } from "tap";
import { type Budget, firstSeed, repeatText, seedsFor } from "./budget.ts";
import { importFrom, makeTree, SMALL_LIMITS } from "./tree.ts";

type Run = typeof import("./run.ts");
type Verdict = Awaited<ReturnType<Run["runSeed"]>>;

const FILE = "test/simulation/simulation.test.ts";
/** With so many worlds, each of these has come up. */
const EVENTFUL = 200;
const MUST_HAPPEN = [
  ...["1007", "1009", "1020", "1021", "1021, may land", "1031", "1031, may land", "1037", "1039", "1042", "1051", "1078"],
  ...["conflicts", "share a version", "late, landed", "late, refused"],
  ...["crashed", "stopped", "cut off", "shut down", "the cluster is away", "the cluster is locked", "the disks are full"],
  ...["the quota is used up", "1225", "store-full"],
  ...["acknowledged", "read", "fenced", "ship-busy", "intervened"],
];

async function worlds(t: Test, run: Run, budget: Budget): Promise<void> {
  let seeds = 0;
  let unjudged: number | null = null;
  t.comment(`worlds from seed ${firstSeed} on`);
  t.teardown(() => (unjudged === null ? undefined : console.error(`a world threw, or took for ever: ${repeatText(FILE, unjudged)}`)));
  const tally = new Map<string, number>();
  for (const seed of seedsFor(budget)) {
    unjudged = seed;
    const verdict = await run.runSeed(seed);
    unjudged = null;
    seeds++;
    for (const [what, count] of happened(verdict)) {
      tally.set(what, (tally.get(what) ?? 0) + count);
    }
    if (verdict.wrong.length > 0) {
      t.comment(`${seeds} worlds from seed ${firstSeed} on`);
      t.fail(`seed ${seed}: ${verdict.wrong[0]}`, {
        again: repeatText(FILE, seed),
        wrong: verdict.wrong,
        end: run.textOf(verdict).split("\n").slice(-40),
      });
      return;
    }
  }
  t.pass("the promise was kept");
  t.comment(`${seeds} worlds from seed ${firstSeed} on`);
  t.comment([...tally].map(([what, count]) => `${what}: ${count}`).join("; "));
  // Only the environment can ask for so few, and then it is said.
  if (seeds < EVENTFUL) {
    t.pass("everything that may go wrong went wrong", { skip: `${seeds} worlds are too few to meet everything; ${EVENTFUL} are enough` });
    return;
  }
  t.same(
    MUST_HAPPEN.filter((what) => !tally.has(what)),
    [],
    "everything that may go wrong went wrong",
  );
}

/** What happened to commits, and to sessions. */
function* happened({ counts, entries }: Verdict): Generator<readonly [string, number]> {
  yield* counts;
  for (const entry of entries) {
    if (entry.kind === "disturbed") {
      yield [entry.what, 1];
    } else if ((entry.kind === "ended" || entry.kind === "refused") && entry.code !== null) {
      yield [entry.code, 1];
    } else {
      yield [entry.kind, 1];
    }
  }
}

t.test("worlds with small limits: huge events, many blocks, many fragments", async (t) => {
  const { folder, remove } = makeTree(SMALL_LIMITS);
  t.teardown(remove);
  await worlds(t, await importFrom<Run>(folder, "test/simulation/run.ts"), { timeMs: 30_000, least: 1000 });
});

t.test("worlds with the limits as they are shipped", async (t) => {
  await worlds(t, await import("./run.ts"), { timeMs: 10_000, least: 300 });
});

const warnings: string[] = [];
process.on("warning", (warning) => warnings.push(`${warning.name}: ${warning.message}`));

t.test("the same seed gives the same history", async (t) => {
  const run = await import("./run.ts");
  for (const seed of [1, 2, 3, firstSeed]) {
    const texts = [run.textOf(await run.runSeed(seed)), run.textOf(await run.runSeed(seed))];
    t.equal(texts[0], texts[1], `seed ${seed}`, { again: repeatText(FILE, seed) });
  }
});

t.test("Node has nothing to warn of", async (t) => {
  t.same(
    warnings.filter((text) => text.startsWith("MaxListeners")),
    [],
  );
});
