// A child of write.test.ts: tries to write a pier of 6 MB where there is no room for it, and prints the error's code.
import { PierError } from "../../src/pier/errors.ts";
import { buildPier, payloads } from "./helpers.ts";

try {
  await buildPier(process.argv[2] ?? "", [{ base: 0n, payloads: payloads(60, 100_000) }]);
  process.stdout.write("written\n");
} catch (error) {
  process.stdout.write(`${error instanceof PierError ? error.code : error}\n`);
}
