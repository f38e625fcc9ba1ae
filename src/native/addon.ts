// Loads the native addon and says what to do when it is missing.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(import.meta.url);
const addonPath = path.resolve(import.meta.dirname, "../../build/Release/seguro.node");

if (!existsSync(addonPath)) {
  throw new Error(
    `seguro: the native addon is missing (${addonPath}). Run "npm rebuild seguro" (in a clone: "npm run build:addon"); it needs cmake, make and a C++ compiler. ` +
      "If npm said that it blocked install scripts, allow seguro's.",
  );
}

/** The untyped addon: each file beside this one types the part it wraps. */
export const addon: unknown = require(addonPath);
