// Generated parts of documents: compared with what the code does now, or written anew with SEGURO_UPDATE_DOCS=1.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const docs = path.resolve(import.meta.dirname, "../docs");
const HEX_BYTES = 32;

/** Bytes as lines of hex, 32 bytes each, grouped by 8. */
export function hexLines(bytes: Buffer, indent = ""): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += HEX_BYTES) {
    lines.push(indent + bytes.toString("hex", at, Math.min(at + HEX_BYTES, bytes.length)).replaceAll(/.{16}(?=.)/g, "$& "));
  }
  return lines.join("\n");
}

export function readDocument(name: string): string {
  return readFileSync(path.join(docs, name), "utf8");
}

/** What a document holds between `<!-- mark -->` and `<!-- end of mark -->`; replaced by `now` first when that is asked for. */
export function generatedPart(name: string, mark: string, now: string): string {
  const text = readDocument(name);
  const begin = `<!-- ${mark} -->\n`;
  const end = `<!-- end of ${mark} -->`;
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  if (from < begin.length || to < from) {
    throw new Error(`docs/${name} has no part marked "${mark}"`);
  }
  if (process.env.SEGURO_UPDATE_DOCS === "1") {
    writeFileSync(path.join(docs, name), text.slice(0, from) + now + text.slice(to));
    return now;
  }
  return text.slice(from, to);
}
