// Makes the built command what `npx seguro` runs in a clone. Without this link npx would install the clone into its cache first, and build
// the addon there and then.
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const command = path.join(root, "dist", "cli", "main.js");
const bin = path.join(root, "node_modules", ".bin");

chmodSync(command, 0o755);
if (existsSync(path.join(root, "node_modules"))) {
  mkdirSync(bin, { recursive: true });
  const link = path.join(bin, "seguro");
  rmSync(link, { force: true });
  symlinkSync(path.relative(bin, command), link);
}
