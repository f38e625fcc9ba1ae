// The checker against histories made by hand: it passes what keeps the promise, and names each way of breaking it.
import t from "tap";
import { check } from "./checker.ts";
import { type Entry, type FinalLog, OVER_QUOTA } from "./history.ts";

type Step = Entry extends infer One ? (One extends unknown ? Omit<One, "atMs"> : never) : never;

const ship = "~zod";

const claiming = (session: string, process: string): Step => ({ kind: "claiming", session, process, ship });
const opened = (session: string, epoch: bigint, height: bigint, log = 1): Step => ({ kind: "opened", session, log, epoch, height });

function claim(session: string, process: string, epoch: bigint, height: bigint, log?: number): Step[] {
  return [claiming(session, process), opened(session, epoch, height, log)];
}

function byHand(what: "fence" | "retire"): Step[] {
  return [
    { kind: "intervening", name: what, what, ship },
    { kind: "intervened", name: what },
  ];
}

const sent = (session: string, firstId: bigint, marks: string[], atomic = false): Step => ({
  kind: "sent",
  session,
  firstId,
  marks,
  atomic,
});
const acknowledged = (session: string, height: bigint): Step => ({ kind: "acknowledged", session, height });
const ended = (session: string, code: string | null = null): Step => ({ kind: "ended", session, code, text: "" });
const looking: Step = { kind: "looking", reader: "r", ship, log: 1, writes: false };
const read = (height: bigint, marks: string[]): Step => ({ kind: "read", reader: "r", height, firstId: 1n, marks });

function judge(steps: Step[], marks: string[], wrong: string[] = []): string[] {
  const entries = steps.map((step, index) => ({ atMs: index * 100, ...step }) as Entry);
  const events = new Map(marks.map((mark, index) => [BigInt(index + 1), mark]));
  const final: FinalLog = { ship, log: 1, height: BigInt(marks.length), events, meta: new Map([["k", "v"]]), wrong };
  return check(entries, [final]);
}

const first = [...claim("s1", "m0", 1n, 0n), sent("s1", 1n, ["a", "b", "c"]), acknowledged("s1", 2n), ended("s1")];
const second = [...claim("s2", "m1", 2n, 2n), sent("s2", 3n, ["d"]), acknowledged("s2", 3n)];
/** `s2` claims, and before it reads anything another one is there, writes, and the log is retired. */
const superseded = [...first, claiming("s2", "m1"), ...byHand("fence"), ...claim("s3", "m0", 3n, 2n), ended("s3"), ...byHand("retire")];

t.test("what keeps the promise", async (t) => {
  t.same(judge([...first, ...second, looking, read(3n, ["a", "b", "d"])], ["a", "b", "d"]), []);
  t.same(judge([...first, { kind: "kept", session: "s1", key: "k", mark: "v" }], ["a", "b"]), []);
  t.same(judge(first, ["a", "b", "c"]), [], "what was sent and not acknowledged may be there");
  const quota: Step = { kind: "disturbed", process: "*", what: OVER_QUOTA, untilMs: 400 };
  t.same(judge([...first.slice(0, 2), quota, ...first.slice(2, -1), ended("s1", "store-full")], ["a", "b"]), [], "no room, and said so");
  const leaving: Step[] = [...first.slice(0, -1), { kind: "releasing", session: "s1" }, ...second, ended("s1")];
  t.same(judge(leaving, ["a", "b", "d"]), [], "a session that is told to end may be succeeded before it hears that it has ended");
  t.same(judge([...first, ...byHand("retire"), ...claim("s2", "m1", 2n, 0n, 2)], ["a", "b"]), [], "a retired log is followed by the next");
  t.same(judge([...superseded, opened("s2", 2n, 0n, 2)], ["a", "b"]), [], "a claim that is superseded may read what comes after it");
});

t.test("what breaks it", async (t) => {
  const broken: readonly [string, string[], RegExp][] = [
    ["lost", judge(first, ["a"]), /promised 2.*ends at 1/],
    ["changed", judge(first, ["a", "x"]), /event 2 .* nobody's/],
    ["a fenced writer's tail", judge([...first, ...second], ["a", "b", "c"]), /event 3 .* of s1 .* must be of s2/],
    ["a successor told too little", judge([...first, ...claim("s2", "m1", 2n, 1n)], ["a", "b"]), /s1 .* promised 2, but s2 .* told 1/],
    [
      "a successor told less than another one was when it came",
      judge([...first, ...claim("s2", "m1", 2n, 3n), ended("s2"), ...claim("s3", "m0", 3n, 2n)], ["a", "b", "c"]),
      /s2 .* promised 3, but s3 .* told 2/,
    ],
    [
      "a log that was left written again",
      judge([...superseded, opened("s2", 2n, 0n, 2), sent("s2", 1n, ["e"]), acknowledged("s2", 1n)], ["a", "b"]),
      /s3 .* told log 1 after s2 .* wrote log 2/,
    ],
    [
      "a log that was left told again",
      judge([...first, ...byHand("retire"), ...claim("s2", "m1", 2n, 0n, 2), ended("s2"), ...claim("s3", "m0", 3n, 2n)], ["a", "b"]),
      /s3 .* told log 1 after s2 .* told log 2/,
    ],
    [
      "a retired log begun again",
      judge([...first, ...byHand("retire"), ...claim("s2", "m1", 2n, 2n)], ["a", "b"]),
      /s2 .* log 1, though 1 to 1/,
    ],
    [
      "a log that nobody retired followed by the next",
      judge([...first, ...claim("s2", "m1", 2n, 0n, 2)], ["a", "b"]),
      /s2 .* log 2, though 0 to 0/,
    ],
    ["an epoch twice", judge([...first, ...claim("s2", "m1", 1n, 2n)], ["a", "b"]), /both have epoch 1/],
    ["acknowledged though never sent", judge([...first.slice(0, 4), acknowledged("s1", 4n)], ["a", "b", "c", "d"]), /never sent/],
    ["half a batch", judge([...claim("s1", "m0", 1n, 0n), sent("s1", 1n, ["a", "b"], true)], ["a"]), /inside the atomic batch 1 to 2/],
    ["a reader saw another event", judge([...first, looking, read(2n, ["a", "x"])], ["a", "b"]), /r read an event 2/],
    ["a reader saw less than was promised", judge([...first, looking, read(1n, ["a"])], ["a", "b"]), /r was told 1 after 2/],
    ["metadata lost", judge([...first, { kind: "kept", session: "s1", key: "l", mark: "v" }], ["a", "b"]), /metadata l of s1/],
    ["what verification says", judge(first, ["a", "b"], ["damage"]), /log 1 of ~zod: damage/],
    [
      "a log that is not there",
      check(
        first.map((step) => ({ atMs: 0, ...step }) as Entry),
        [],
      ),
      /does not exist/,
    ],
    ["fenced by nobody", judge([...first.slice(0, -1), ended("s1", "fenced")], ["a", "b"]), /fenced though nobody/],
    ["a failure that needs no person", judge([...first.slice(0, -1), ended("s1", "internal")], ["a", "b"]), /ended with internal/],
    ["full with room", judge([...first.slice(0, -1), ended("s1", "store-full")], ["a", "b"]), /s1 .* full, though it had room/],
    ["a living writer taken over", judge([...first.slice(0, -1), ...second], ["a", "b", "d"]), /s2 .* took ~zod over from s1 .* alive/],
  ];
  for (const [what, wrong, expected] of broken) {
    t.match(wrong.join("\n"), expected, what);
  }
});
