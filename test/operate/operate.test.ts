// Defaults of paths, the access rule, and what the log shows of numbers and bytes.
import { tmpdir } from "node:os";
import t from "tap";
import { makeAccess } from "../../src/operate/access.ts";
import { makeLogger } from "../../src/operate/logger.ts";
import { defaultSocket, defaultStore } from "../../src/operate/paths.ts";
import { VERSION } from "../../src/operate/version.ts";

t.test("the socket", async (t) => {
  t.equal(defaultSocket({ SEGURO_SOCKET: "/s/ock", XDG_RUNTIME_DIR: "/run/user/5" }, 5), "/s/ock");
  t.equal(defaultSocket({ SEGURO_SOCKET: "", XDG_RUNTIME_DIR: "/run/user/5" }, 5), "/run/user/5/seguro/seguro.sock");
  t.equal(defaultSocket({ XDG_RUNTIME_DIR: "relative" }, 5), `${tmpdir()}/seguro-5/seguro.sock`);
});

t.test("the store", async (t) => {
  t.equal(defaultStore({ XDG_STATE_HOME: "/state" }), "lmdb:/state/seguro/store");
  t.match(defaultStore({}), /^lmdb:\/.*\/\.local\/state\/seguro\/store$/);
});

t.test("only the own user, and those of the configuration for their ships", async (t) => {
  const alone = makeAccess(1000, {}, "");
  t.ok(alone.mayConnect(1000) && alone.mayUse(1000, "~zod") && alone.mayAdminister(1000));
  t.notOk(alone.mayConnect(0) || alone.mayUse(0, "~zod") || alone.mayAdminister(0), "not even root, unless it runs the sidecar");
  t.equal(alone.shared, false);
  const passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1001:1001::/home/alice:/bin/sh\n";
  const shared = makeAccess(1000, { alice: ["~zod"], 1001: ["~nec"], 1002: [] }, passwd);
  t.equal(shared.shared, true);
  t.ok(shared.mayConnect(1001) && shared.mayUse(1001, "~zod") && shared.mayUse(1001, "~nec"));
  t.notOk(shared.mayUse(1001, "~bud") || shared.mayAdminister(1001) || shared.mayUse(1002, "~zod") || shared.mayConnect(1003));
  t.throws(() => makeAccess(1000, { bob: ["~zod"] }, passwd), { name: "ConfigError", message: /users\.bob/ });
});

t.test("the log shows no bytes", async (t) => {
  const lines: string[] = [];
  const logger = makeLogger("info", { write: (line) => lines.push(line) });
  logger.info({ ship: "~zod", height: 2n ** 63n - 1n, small: 5n, event: Buffer.from("secret") }, "committed");
  logger.debug("not shown");
  t.equal(lines.length, 1);
  const line = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
  t.match(line, {
    level: "info",
    name: "seguro",
    ship: "~zod",
    height: "9223372036854775807",
    small: 5,
    event: "6 bytes",
    msg: "committed",
  });
});

t.test("the version is package.json's", async (t) => {
  t.match(VERSION, /^\d+\.\d+\.\d+/);
});
