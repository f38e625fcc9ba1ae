// The configuration file: TOML, checked field by field; whatever it does not know is refused by name and line.
import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { shipNumber } from "../ship.ts";
import { EVENT_BYTES_MAX, isRingSize } from "../wire/constants.ts";
import { ConfigError } from "./config-error.ts";
import { LOG_LEVELS } from "./log-levels.ts";

/** Said of a size that no ring may have. */
export const RING_SIZE_RULE = "is no size of a ring: a power of two from 65536 (64 KiB) to 67108864 (64 MiB)";

const ship = z.string().refine((name) => shipNumber(name) !== null, { error: "is no ship's name (such as ~sampel-palnet)" });

const limits = z.strictObject({
  sessions: z.int().min(1).max(1_000_000).optional(),
  eventBytes: z.int().min(1).max(EVENT_BYTES_MAX).optional(),
});

const ring = z.strictObject({
  /** False keeps every session on its socket. */
  enabled: z.boolean().optional(),
  sizeBytes: z.int().refine(isRingSize, { error: RING_SIZE_RULE }).optional(),
});

const schema = z.strictObject({
  socket: z.string().min(1).optional(),
  store: z.string().min(1).optional(),
  state: z.string().min(1).optional(),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).optional() }).optional(),
  limits: limits.optional(),
  ring: ring.optional(),
  /** User names or uids, and the ships each may use. */
  users: z.record(z.string().min(1), z.array(ship)).optional(),
});

/** The file's fields, as docs/cli.md lists them. Everything is optional. */
export type Config = z.infer<typeof schema>;

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** The first line that assigns this key or opens its table: good enough to point a person there, null where it cannot be told. */
function lineOf(text: string, field: readonly PropertyKey[]): number | null {
  const key = field.findLast((part) => typeof part === "string");
  if (key === undefined) {
    return null;
  }
  const pattern = new RegExp(
    `^\\s*(?:[\\w."'-]+\\.)?["']?${escaped(String(key))}["']?\\s*=|^\\s*\\[.*\\b${escaped(String(key))}["']?\\s*\\]`,
  );
  const index = text.split("\n").findIndex((line) => pattern.test(line));
  return index < 0 ? null : index + 1;
}

function describe(issue: z.core.$ZodIssue): { field: PropertyKey[]; text: string } {
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0] ?? "";
    return { field: [...issue.path, key], text: "is not a known field" };
  }
  return { field: [...issue.path], text: issue.message };
}

/** Checks a configuration's text. Throws a `ConfigError` that names the field and, where it can be told, the line. */
export function parseConfig(text: string, fileName: string): Config {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    if (error instanceof TomlError) {
      const summary = error.message.split("\n")[0] ?? "";
      throw new ConfigError(`${fileName}:${error.line}:${error.column}: ${summary}`, "the file must be TOML (https://toml.io)", error);
    }
    throw error;
  }
  const result = schema.safeParse(raw);
  if (result.success) {
    return result.data;
  }
  const [issue] = result.error.issues;
  const { field, text: what } = issue === undefined ? { field: [], text: "is not valid" } : describe(issue);
  const line = lineOf(text, field);
  const where = line === null ? fileName : `${fileName}:${line}`;
  throw new ConfigError(`${where}: "${field.map(String).join(".")}" ${what}`, "docs/cli.md lists every field of the file");
}

/** Reads and checks a configuration file. */
export function loadConfig(fileName: string): Config {
  let text: string;
  try {
    text = readFileSync(fileName, "utf8");
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (error as Error).message;
    throw new ConfigError(`cannot read the configuration ${fileName}: ${why}`, "check the path given with --config", error);
  }
  return parseConfig(text, fileName);
}
