// Sessions over shared memory, with real processes on both sides: what goes in comes out, whatever the sizes, and the socket is the way back.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { render } from "@urbit/aura";
import t from "tap";
import { Client } from "../../src/client/client.ts";
import { encodeRecords } from "../../src/native/records.ts";
import { seguroJson, serve, serveIn } from "../cli/command.ts";
import { compileDemo, compileMany, compileTail, runProgram, startDemo, testFolder } from "./native.ts";

const SESSIONS = Number(process.env.SEGURO_TEST_RING_SESSIONS ?? 1000);
/** Descriptors that a sidecar needs beside one for each session. */
const DESCRIPTORS_SPARE = 100;

/** Node raises its soft limit to the hard one when it starts, and what it starts inherits that: only the hard limit can be too low. */
function hardDescriptorLimit(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const hard = /Max open files\s+\S+\s+(\S+)/.exec(limits)?.[1] ?? "0";
  return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
}

t.test("what is appended through a ring is replayed through a ring, byte for byte", async (t) => {
  const folder = testFolder(t);
  const demo = compileDemo(folder);
  // The smallest ring there is: most of what follows goes through it in parts.
  const sidecar = await serveIn(folder, "--ring-size", "65536");
  t.teardown(() => sidecar.end("SIGKILL"));
  for (const [ship, count, bytes] of [
    ["~zod", 5000, 700],
    ["~nec", 40, 300_001],
    ["~bud", 3, 9_000_000],
    ["~wes", 100, 0],
  ] as const) {
    const who = [sidecar.socket, ship, "--fake", "--transport", "ring"];
    const wrote = await startDemo(demo, [...who, "append", `${count}`, `${bytes}`, "--echo"], path.join(folder, "wrote")).ended;
    t.equal(wrote.code, 0, `${count} events of ${bytes} bytes were appended`);
    t.equal(wrote.totals?.transport, "ring");
    const read = await startDemo(demo, [...who, "replay"], path.join(folder, "read")).ended;
    t.equal(read.totals?.transport, "ring");
    t.ok(wrote.events.length === count * (16 + bytes) && wrote.events.equals(read.events), "the log is what was acknowledged");
    const overStream = [sidecar.socket, ship, "--fake", "--transport", "stream", "replay"];
    const streamed = await startDemo(demo, overStream, path.join(folder, "streamed")).ended;
    t.ok(streamed.events.equals(read.events), "a stream gives the same");
    t.equal((await seguroJson(["verify", ship, "--socket", sidecar.socket])).code, 0, "verified");
  }
});

t.test("a log that begins late, with events large and small, is replayed from wherever the client asks", async (t) => {
  const folder = testFolder(t);
  const demo = compileDemo(folder);
  const sidecar = await serveIn(folder, "--ring-size", "65536");
  t.teardown(() => sidecar.end("SIGKILL"));
  const payloads = Array.from({ length: 60 }, (_, index) => Buffer.alloc(index % 20 === 19 ? 5_000_000 : index * 700, index + 1));
  const client = await Client.connect(sidecar.socket, "~zod");
  await client.open({ role: "write", kind: "fake" });
  await client.append(encodeRecords(100n, payloads));
  await client.acknowledged(159n);
  await client.close();
  for (const from of [1n, 100n, 101n, 119n, 120n, 137n, 159n]) {
    const args = [sidecar.socket, "~zod", "--fake", "--transport", "ring", "replay", `${from}`];
    const read = await startDemo(demo, args, path.join(folder, "read")).ended;
    t.match({ code: read.code, transport: read.totals?.transport }, { code: 0, transport: "ring" }, `from ${from}: ${read.stderr}`);
    const wanted = payloads.flatMap((payload, index) => {
      const head = Buffer.alloc(16);
      head.writeBigUInt64LE(BigInt(100 + index), 0);
      head.writeBigUInt64LE(BigInt(payload.length), 8);
      return BigInt(100 + index) < from ? [] : [head, payload];
    });
    t.ok(Buffer.concat(wanted).equals(read.events), "every event whole");
  }
});

t.test("a live reader over a ring hears of what another ring brings", async (t) => {
  const folder = testFolder(t);
  const demo = compileDemo(folder);
  const tail = compileTail(folder);
  const sidecar = await serveIn(folder, "--ring-size", "65536");
  t.teardown(() => sidecar.end("SIGKILL"));
  const append = (): ReturnType<typeof startDemo> => {
    const args = [sidecar.socket, "~zod", "--fake", "--transport", "ring", "append", "2000", "300", "--echo"];
    return startDemo(demo, args, path.join(folder, "wrote"));
  };
  t.equal((await append().ended).code, 0);
  const reader = runProgram(tail, [sidecar.socket, "~zod", "6000"]);
  t.equal((await append().ended).code, 0);
  t.equal((await append().ended).code, 0);
  const { code, stdout } = await reader;
  t.equal(code, 0);
  t.equal(stdout, Array.from({ length: 6000 }, (_, index) => `${index + 1}\n`).join(""), "every event once, in order");
});

t.test("without rings a session stays on its socket", async (t) => {
  const folder = testFolder(t);
  const demo = compileDemo(folder);
  const sidecar = await serveIn(folder, "--no-ring");
  t.teardown(() => sidecar.end("SIGKILL"));
  const args = [sidecar.socket, "~zod", "--fake", "--transport", "auto", "append", "100", "500", "--echo"];
  const wrote = await startDemo(demo, args, path.join(folder, "wrote")).ended;
  t.match({ code: wrote.code, transport: wrote.totals?.transport }, { code: 0, transport: "stream" });
});

const descriptors = SESSIONS + DESCRIPTORS_SPARE;
const tooFew = hardDescriptorLimit() < descriptors ? `the hard limit of file descriptors is below ${descriptors} (ulimit -Hn)` : false;

t.test("many sessions with small rings on one sidecar", { skip: tooFew }, async (t) => {
  const folder = testFolder(t);
  const many = compileMany(folder);
  const sidecar = await serve(["--socket", path.join(folder, "s"), "--store", "memory:", "--log-level", "warn"]);
  t.teardown(() => sidecar.end("SIGKILL"));
  const child = spawn(many, [sidecar.socket, "65536"], { stdio: ["pipe", "pipe", "inherit"] });
  const names = Array.from({ length: SESSIONS }, (_, index) => render("p", BigInt(index + 256)));
  child.stdin.write(`${names.join("\n")}\n\n`);
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  t.equal(line, `${SESSIONS} of ${SESSIONS}`, "each has a ring, and its single events and batch were acknowledged");
  const { json } = await seguroJson(["status", "--socket", sidecar.socket]);
  const sessions = json.sessions as { transport: string }[];
  t.equal(sessions.filter(({ transport }) => transport === "ring").length, SESSIONS, "status shows them");
  child.stdin.end();
  const [code] = (await once(child, "exit")) as [number | null];
  t.equal(code, 0);
  t.equal((await sidecar.end("SIGTERM")).code, 0, "the sidecar stops in order");
});
