// One format, three texts: the numbers of src/wire, of native/wire and of docs/protocol.md are the same.
import { readFileSync } from "node:fs";
import path from "node:path";
import t from "tap";
import { BLOCK_HEADER_BYTES } from "../../src/log/block.ts";
import * as constants from "../../src/wire/constants.ts";
import { ERRORS } from "../../src/wire/errors.ts";
import { TEXT_BLOCK_MAX } from "../../src/wire/text.ts";
import { repository } from "./sources.ts";

function read(file: string): string {
  return readFileSync(path.join(repository, file), "utf8");
}

/** `#define NAME value` with the value as a number; what is no number (include guards, macros) is left out. */
function definesOf(file: string): Map<string, bigint> {
  const defines = new Map<string, bigint>();
  for (const [, name, value] of read(file).matchAll(/^#define (\w+) (0x[0-9a-f]+|\d+)[ul]*(?:\s|$)/gm)) {
    defines.set(name ?? "", BigInt(value ?? ""));
  }
  return defines;
}

/** The cells of the rows of every table in a text whose header begins with the given cells. */
function tableOf(text: string, ...head: string[]): string[][] {
  const rows = text.split("\n").map((line) =>
    line.startsWith("|")
      ? line
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim())
      : [],
  );
  const start = rows.findIndex((row) => head.every((cell, index) => row[index] === cell));
  const length = rows.slice(start + 2).findIndex((row) => row.length === 0);
  return start < 0 ? [] : rows.slice(start + 2, start + 2 + length);
}

const protocol = read("docs/protocol.md");
const frame = definesOf("native/wire/frame.h");
const record = definesOf("native/wire/record.h");
const block = definesOf("native/wire/block.h");

t.test("native/wire and src/wire", async (t) => {
  const groups = {
    FRAME: constants.Frame,
    ROLE: constants.Role,
    KIND: constants.Kind,
    VERDICT: constants.Verdict,
    SENT: constants.SentReason,
  };
  for (const [prefix, group] of Object.entries(groups)) {
    const native = [...frame].filter(([name]) => name.startsWith(`SEGURO_${prefix}_`) && !/_(BYTES|MAX)$/.test(name));
    const expected = Object.entries(group).map(([name, value]) => [`SEGURO_${prefix}_${name}`, BigInt(value)]);
    t.same(Object.fromEntries(native), Object.fromEntries(expected), prefix);
  }
  const numbers: readonly [ReadonlyMap<string, bigint>, string, bigint | number][] = [
    [frame, "SEGURO_FRAME_HEADER_BYTES", constants.FRAME_HEADER_BYTES],
    [frame, "SEGURO_FRAME_BODY_MAX", constants.FRAME_BODY_MAX],
    [frame, "SEGURO_READ_TAIL", constants.READ_TAIL],
    [frame, "SEGURO_ADMIN_MORE", constants.ADMIN_MORE],
    [frame, "SEGURO_ERROR_FATAL", constants.ERROR_FATAL],
    [frame, "SEGURO_ERROR_RETRY", constants.ERROR_RETRY],
    [frame, "SEGURO_SCOPE_TOP", constants.SCOPE_TOP],
    [record, "SEGURO_RECORD_HEADER_BYTES", constants.RECORD_HEADER_BYTES],
    [record, "SEGURO_EVENT_BYTES_MAX", constants.EVENT_BYTES_MAX],
    [record, "SEGURO_EVENT_ID_MAX", constants.EVENT_ID_MAX],
    [block, "SEGURO_DIGEST_BYTES", constants.DIGEST_BYTES],
    [block, "SEGURO_BLOCK_HEADER_BYTES", BLOCK_HEADER_BYTES],
  ];
  for (const [defines, name, value] of numbers) {
    t.equal(defines.get(name), BigInt(value), name);
  }
});

t.test("the frame types of docs/protocol.md", async (t) => {
  const rows = tableOf(protocol, "type", "frame", "who");
  const documented = Object.fromEntries(rows.map(([type, name]) => [name?.replaceAll("`", ""), Number(type)]));
  t.same(documented, constants.Frame);
  for (const [type, name, who] of rows) {
    t.equal(who, Number(type) >= 129 ? "server" : "client", `${name} is sent by the ${who}`);
  }
});

t.test("the errors of docs/protocol.md", async (t) => {
  const rows = tableOf(protocol, "code", "name", "flags");
  const documented = rows.map(([code, name, flags]) => {
    const bits = (flags?.includes("fatal") ? constants.ERROR_FATAL : 0) | (flags?.includes("retry") ? constants.ERROR_RETRY : 0);
    return [name?.replaceAll("`", ""), { code: Number(code), flags: bits }];
  });
  t.same(Object.fromEntries(documented), ERRORS);
});

t.test("the limits of docs/protocol.md", async (t) => {
  const limits = Object.fromEntries(tableOf(protocol, "what", "limit").map(([what, limit]) => [what, limit ?? ""]));
  const number = (what: string): number => Number(/[\d,]+/.exec(limits[what] ?? "")?.[0].replaceAll(",", ""));
  t.equal(number("text block"), TEXT_BLOCK_MAX);
  t.equal(number("frame body"), constants.FRAME_BODY_MAX);
  t.equal(number("event"), constants.EVENT_BYTES_MAX);
  t.equal(number("reads at once, a session"), constants.READS_MAX);
});

t.test("the errors that native/include/seguro.h names", async (t) => {
  const named = [...read("native/include/seguro.h").matchAll(/^#define SEGURO_ERR_(\w+) SEGURO_ERR_SERVER\((\d+)\)/gm)];
  t.ok(named.length > 5, "they were found");
  const codes: Readonly<Record<string, { readonly code: number }>> = ERRORS;
  for (const [, name, code] of named) {
    t.equal(codes[(name ?? "").toLowerCase().replaceAll("_", "-")]?.code, Number(code), `SEGURO_ERR_${name}`);
  }
});
