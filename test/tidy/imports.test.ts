// Dependencies point one way: which room may use which, and which rooms may do input and output themselves (docs/architecture.md).
import t from "tap";
import { importsOf, roomOf, type Source, sources } from "./sources.ts";

/** What each room may import, beside itself and `ship.ts`. A room that is not here may not exist. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  native: [],
  wire: ["native"],
  transport: ["native", "wire"],
  store: ["native"],
  log: ["native", "store", "wire"],
  session: ["log", "native", "store", "transport", "wire"],
  client: ["native", "wire"],
  pier: ["native"],
  operate: ["wire"],
  cli: ["client", "log", "native", "operate", "pier", "session", "store", "wire"],
};

const SOCKETS = /^node:(net|tls|http|https|http2|dgram)$/;
const FILES = /^node:fs(\/promises)?$/;
const PROCESSES = /^node:(child_process|worker_threads|cluster)$/;

/** Modules of Node that a room must do without. */
const MUST_NOT: Readonly<Record<string, readonly RegExp[]>> = {
  wire: [SOCKETS, FILES, PROCESSES],
  log: [SOCKETS, FILES, PROCESSES],
  store: [SOCKETS, PROCESSES],
  native: [SOCKETS, PROCESSES],
  transport: [FILES, PROCESSES],
  session: [PROCESSES],
};

const ours = sources.filter((source) => source.path.startsWith("src/"));

function wrongRooms(source: Source): string[] {
  const room = roomOf(source.path);
  const allowed = new Set([room, ...(MAY_USE[room] ?? [])]);
  return importsOf(source)
    .filter(({ from }) => from.startsWith("src/") && from !== "src/ship.ts" && !allowed.has(roomOf(from)))
    .map(({ from }) => `${source.path} uses ${from}`);
}

t.test("rooms use only the rooms below them", async (t) => {
  t.ok(ours.length > 50, "the sources were found");
  t.same(
    ours.filter((source) => roomOf(source.path) !== "" && MAY_USE[roomOf(source.path)] === undefined),
    [],
    "every room has a rule",
  );
  t.same(ours.flatMap(wrongRooms), []);
});

t.test("what lies beside the rooms is a leaf", async (t) => {
  const beside = ours.filter((source) => roomOf(source.path) === "");
  t.same(
    beside.map((source) => source.path),
    ["src/ship.ts"],
  );
  t.same(
    beside.flatMap((source) => importsOf(source).filter(({ from }) => from.startsWith("src/"))),
    [],
  );
});

t.test("rooms without input and output of their own", async (t) => {
  const found = ours.flatMap((source) => {
    const banned = MUST_NOT[roomOf(source.path)] ?? [];
    return importsOf(source)
      .filter(({ from }) => banned.some((pattern) => pattern.test(from)))
      .map(({ from }) => `${source.path} uses ${from}`);
  });
  t.same(found, []);
});

t.test("sources do not use tests, benchmarks or scripts", async (t) => {
  const found = ours.flatMap((source) => importsOf(source).filter(({ from }) => /^(test|bench|scripts|dist)\//.test(from)));
  t.same(found, []);
});
