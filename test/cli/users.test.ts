// Other users of the machine: nobody by default, those of the configuration their own ships. Runs as root only: it has to be two users.
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { tempFolder } from "../client/fake-server.ts";
import { buildPier, payloads } from "../pier/helpers.ts";
import { seguro, seguroJson, serve } from "./command.ts";

const NOBODY_UID = 65_534;

/** Two users are needed, and the other must be able to read this clone. */
async function skipReason(): Promise<string | false> {
  if (process.getuid?.() !== 0) {
    return "needs root";
  }
  const ended = await seguro(["version"], { uid: NOBODY_UID }).catch(() => null);
  return ended?.code === 0 ? false : "the other user cannot read this clone";
}

t.test("a user reaches the ships given to it, and no others", { skip: await skipReason() }, async (t) => {
  const { folder, remove } = tempFolder();
  t.teardown(remove);
  chmodSync(folder, 0o755);
  mkdirSync(path.join(folder, "run"), { mode: 0o755 });
  const socket = path.join(folder, "run", "s");
  const config = path.join(folder, "c.toml");
  await buildPier(path.join(folder, "zod"), [{ base: 0n, payloads: payloads(10, 50) }]);
  const as = { uid: NOBODY_UID };

  writeFileSync(config, `socket = "${socket}"\nstore = "lmdb:${folder}/store"\n[users]\n${NOBODY_UID} = ["~zod"]\n`);
  const shared = await serve(["--config", config, "--log-level", "silent"]);
  t.teardown(() => shared.process.kill("SIGKILL"));
  t.equal(statSync(socket).mode & 0o777, 0o666);
  t.match(await seguroJson(["import", path.join(folder, "zod"), "--socket", socket]), { code: 0 });
  t.match(await seguroJson(["verify", "~zod", "--socket", socket], as), { code: 0, json: { events: "10" } });
  t.match(await seguroJson(["verify", "~nec", "--socket", socket], as), { code: 4, json: { error: { code: "forbidden" } } });
  t.match(await seguroJson(["retire", "~zod", "--socket", socket], as), { code: 4, json: { error: { code: "forbidden" } } });
  await shared.end("SIGTERM");

  writeFileSync(config, `socket = "${socket}"\nstore = "lmdb:${folder}/store"\n`);
  const alone = await serve(["--config", config, "--log-level", "silent"]);
  t.teardown(() => alone.process.kill("SIGKILL"));
  t.equal(statSync(socket).mode & 0o777, 0o600);
  t.match(await seguro(["list", "--socket", socket], as), { code: 3, stderr: /this user may not use the socket/ });
  chmodSync(socket, 0o666);
  t.match(await seguroJson(["list", "--socket", socket], as), { code: 4, json: { error: { code: "turned-away" } } });
  await alone.end("SIGTERM");
});
