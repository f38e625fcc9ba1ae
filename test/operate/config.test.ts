// The configuration file: what it takes, and how it says what is wrong where.
import t from "tap";
import { loadConfig, parseConfig } from "../../src/operate/config.ts";

const GOOD = `
socket = "/run/seguro/seguro.sock"
store = "lmdb:/var/lib/seguro"

[log]
level = "debug"

[limits]
sessions = 100
eventBytes = 1_000_000

[users]
alice = ["~sampel-palnet"]
1001 = ["~zod", "~nec"]
`;

t.test("a whole file", async (t) => {
  t.same(parseConfig(GOOD, "c.toml"), {
    socket: "/run/seguro/seguro.sock",
    store: "lmdb:/var/lib/seguro",
    log: { level: "debug" },
    limits: { sessions: 100, eventBytes: 1_000_000 },
    users: { alice: ["~sampel-palnet"], 1001: ["~zod", "~nec"] },
  });
  t.same(parseConfig("", "c.toml"), {});
});

t.test("errors name the field and its line", async (t) => {
  const cases: [string, RegExp][] = [
    ["socket = 5", /^c\.toml:1: "socket" /],
    ['\nsokcet = "/x"', /^c\.toml:2: "sokcet" is not a known field/],
    ["[limits]\nsessions = 5\nevents = 3", /^c\.toml:3: "limits\.events" is not a known field/],
    ["[limits]\nsessions = 0", /^c\.toml:2: "limits\.sessions" /],
    ["[limits]\neventBytes = 4294967296", /^c\.toml:2: "limits\.eventBytes" /],
    ['[log]\nlevel = "loud"', /^c\.toml:2: "log\.level" /],
    ['[users]\nbob = ["~notaship"]', /^c\.toml:2: "users\.bob\.0" is no ship's name/],
    ["[nothing]", /^c\.toml:1: "nothing" is not a known field/],
    ["socket = ", /^c\.toml:1:\d+: /],
  ];
  for (const [text, message] of cases) {
    t.throws(() => parseConfig(text, "c.toml"), { name: "ConfigError", message }, text);
  }
});

t.test("a missing file", async (t) => {
  t.throws(() => loadConfig("/nonexistent/seguro.toml"), { name: "ConfigError", message: /there is no such file/ });
});
