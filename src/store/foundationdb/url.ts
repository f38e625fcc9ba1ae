// What a FoundationDB store's URL says: the cluster's file, and the prefix of the store's keys.
import path from "node:path";
import { StoreError } from "../errors.ts";

const DEFAULT_PREFIX = "seguro/";
const DEFAULT_CLUSTER_FILE = "/etc/foundationdb/fdb.cluster";
const PREFIX_BYTES_MAX = 200;
/** Keys from here on are the cluster's own. */
const SYSTEM_SPACE = 0xff;

export interface FoundationUrl {
  /** Null: the default. */
  readonly clusterFile: string | null;
  readonly prefix: Buffer;
}

export const URL_FORM = 'FoundationDB stores are "foundationdb:[CLUSTER_FILE][?prefix=PREFIX]".';

/** `%2f` stands for a byte; what is not a letter, digit or one of `-._~/` has to be written like this. */
function parsePrefix(text: string): Buffer {
  if (!/^(?:[\w\-.~/]|%[0-9a-f]{2})*$/i.test(text)) throw new StoreError("store-missing", `the prefix "${text}" is not readable`, URL_FORM);
  const prefix = Buffer.from(
    text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );
  if (prefix.length > PREFIX_BYTES_MAX || prefix[0] === SYSTEM_SPACE) {
    throw new StoreError("store-missing", `the prefix "${text}" is too long, or the cluster's own`, URL_FORM);
  }
  return prefix;
}

/** The prefix as a URL has it. */
function showPrefix(prefix: Buffer): string {
  return prefix.toString("latin1").replace(/[^\w\-.~/]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/**
 * Reads what follows `foundationdb:`.
 *
 * @throws StoreError `store-missing`.
 */
export function parseFoundationUrl(rest: string): FoundationUrl {
  const mark = rest.indexOf("?");
  const file = mark < 0 ? rest : rest.slice(0, mark);
  const query = mark < 0 ? "" : rest.slice(mark + 1);
  if (query !== "" && !query.startsWith("prefix=")) throw new StoreError("store-missing", `"?${query}" is not known`, URL_FORM);
  const prefix = query === "" ? DEFAULT_PREFIX : query.slice("prefix=".length);
  return { clusterFile: file === "" ? null : file, prefix: parsePrefix(prefix) };
}

/** The cluster file that is meant; `defaultFile` where the URL names none, if it is set and not empty. */
export function clusterFileOf({ clusterFile }: FoundationUrl, defaultFile: string | undefined): string {
  return path.resolve(clusterFile ?? (defaultFile || DEFAULT_CLUSTER_FILE));
}

/** The store's name: its URL with all that was left out, and without what may be. */
export function foundationName(url: FoundationUrl, defaultFile: string | undefined): string {
  const shown = showPrefix(url.prefix);
  return `foundationdb:${clusterFileOf(url, defaultFile)}${shown === DEFAULT_PREFIX ? "" : `?prefix=${shown}`}`;
}
