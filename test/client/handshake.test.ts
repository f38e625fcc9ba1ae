// How a connection fails: nobody there, not a sidecar, turned away, silence, another version.
import { writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { Client } from "../../src/client/client.ts";
import { fakeServer, tempFolder } from "./fake-server.ts";

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

t.test("nobody there", async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  const file = path.join(folder, "file");
  writeFileSync(file, "not a socket");
  t.equal(await codeOf(Client.connect(path.join(folder, "none"), "~zod")), "cannot-connect");
  t.equal(await codeOf(Client.connect(file, "~zod")), "cannot-connect");
  t.equal(await codeOf(Client.connect(path.join(folder, "x".repeat(200)), "~zod")), "cannot-connect");
});

t.test("not a sidecar, another version, turned away", async (t) => {
  const cases: [Parameters<typeof fakeServer>[0], string][] = [
    [{ greeting: "220 smtp ready" }, "not-a-sidecar"],
    [{ greeting: "x".repeat(500) }, "not-a-sidecar"],
    [{ greeting: "SEGURO 0 2" }, "not-a-sidecar"],
    [{ welcome: () => null }, "turned-away"],
    [{ welcome: () => "WELCOME ~bus" }, "not-a-sidecar"],
  ];
  for (const [script, code] of cases) {
    const server = await fakeServer(script);
    t.equal(await codeOf(Client.connect(server.socketPath, "~zod")), code, JSON.stringify(script));
    await server.stop();
  }
});

t.test("silence ends in a time-out", async (t) => {
  const server = await fakeServer({ silent: true });
  t.teardown(() => server.stop());
  t.equal(await codeOf(Client.connect(server.socketPath, null, { timeoutMs: 20 })), "cannot-connect");
});

t.test("steps that come early are taken as they come", async (t) => {
  const server = await fakeServer({ greeting: "SEGURO 0 1\0IDENTIFY 1", welcome: () => "" });
  t.teardown(() => server.stop());
  t.equal(await codeOf(Client.connect(server.socketPath, null)), "not-a-sidecar");
});

t.test("the height named in WELCOME", async (t) => {
  const server = await fakeServer({ welcome: (name) => `WELCOME ${name} 42` });
  t.teardown(() => server.stop());
  const client = await Client.connect(server.socketPath, "~zod");
  t.equal(client.welcomeId, 42n);
  await client.close();
  t.equal(await codeOf(client.ping()), "connection-closed");
});
