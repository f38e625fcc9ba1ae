// A client that writes what it likes into the shared memory, rings without end, or dies, ends its own session and nothing else.
import path from "node:path";
import t from "tap";
import { seguroJson, serveIn } from "../cli/command.ts";
import { startSidecar } from "../session/helpers.ts";
import { compileDemo, compileScribbler, runProgram, startDemo, testFolder } from "./native.ts";

const MODES = ["scribble", "indices", "flip", "punch", "truncate", "doorbells", "frames", "credit"];
/** These go on until the sidecar has ended the session, however late a loaded machine lets it look; the others for a moment. */
const ENDED_BY_SIDECAR = new Set(["scribble", "indices", "flip", "punch"]);
const PATIENCE_MS = 60_000;
const ROUNDS = Number(process.env.SEGURO_TEST_SCRIBBLES ?? 3);
const PAYLOAD_BYTES = 3000;
/** In the demo's output, before each payload: u64 id, u64 length. */
const HEAD_BYTES = 16;

/** Each event is one that the scribbler made, from 1 on without a gap; says how many there are, or what is wrong. */
function check(events: Buffer): number | string {
  let id = 0;
  for (let at = 0; at < events.length; at += HEAD_BYTES + PAYLOAD_BYTES) {
    id++;
    if (events.readBigUInt64LE(at) !== BigInt(id) || events.readBigUInt64LE(at + 8) !== BigInt(PAYLOAD_BYTES)) {
      return `event ${id} is another, or of another length`;
    }
    const payload = events.subarray(at + HEAD_BYTES, at + HEAD_BYTES + PAYLOAD_BYTES);
    const first = id & 255;
    if (!payload.every((byte, index) => byte === ((first + index) & 255))) {
      return `event ${id} has other bytes`;
    }
  }
  return id;
}

t.test("whatever a client does to its ring", async (t) => {
  const folder = testFolder(t);
  const demo = compileDemo(folder);
  const scribbler = compileScribbler(folder);
  const sidecar = await serveIn(folder, "--ring-size", "65536", "--log-level", "warn");
  t.teardown(() => sidecar.end("SIGKILL"));
  const honest = (verb: string[], file: string): ReturnType<typeof startDemo> =>
    startDemo(demo, [sidecar.socket, "~zod", "--fake", "--transport", "ring", ...verb], path.join(folder, file));

  for (const mode of MODES) {
    await t.test(mode, async (t) => {
      for (let round = 0; round < ROUNDS; round++) {
        const bystander = honest(["append", "2000", "600", "--echo"], "bystander");
        const time = ENDED_BY_SIDECAR.has(mode) ? [`${PATIENCE_MS}`] : [];
        const { code, stdout, stderr } = await runProgram(scribbler, [sidecar.socket, "~nec", mode, `${round + 1}`, ...time]);
        t.equal(code, 0, `it attached and misbehaved: ${stderr}`);
        const other = await bystander.ended;
        t.equal(other.code, 0, "another ship's session goes on");
        const replay = await startDemo(demo, [sidecar.socket, "~nec", "--fake", "replay"], path.join(folder, "replayed")).ended;
        const kept = check(replay.events);
        const acknowledged = Number(stdout.trimEnd().split("\n").at(-1));
        t.ok(typeof kept === "number" && kept >= acknowledged, `${kept} events are kept, ${acknowledged} were acknowledged`);
      }
    });
  }
  for (const ship of ["~zod", "~nec"]) {
    t.equal((await seguroJson(["verify", ship, "--socket", sidecar.socket])).code, 0, `${ship} is whole`);
  }
  const { stderr, code } = await sidecar.end("SIGTERM");
  t.equal(code, 0, "the sidecar has outlived it all");
  t.match(stderr, /"code":"bad-ring"/);
  t.match(stderr, /"code":"bad-record"/);
});

t.test("a client that does not take its answers out of the ring", async (t) => {
  const scribbler = compileScribbler(testFolder(t));
  const limits = { sessions: 10, eventBytes: 0xffffffff, handshakeTimeoutMs: 30_000, stallTimeoutMs: 100 };
  const sidecar = await startSidecar({ limits });
  t.teardown(() => sidecar.stop());
  const { code } = await runProgram(scribbler, [sidecar.socketPath, "~nec", "frames", "1", `${PATIENCE_MS}`]);
  t.equal(code, 0);
  t.ok(
    sidecar.logged.some(({ fields }) => fields.code === "client-stalled"),
    "its session has ended",
  );
});
