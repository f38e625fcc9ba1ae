// A parent that guard.test.ts kills: it runs guarded work that never ends and says which process does it.
import { runGuarded } from "../../src/pier/guard.ts";

const child = new URL("./guarded.ts", import.meta.url);
await runGuarded<{ how: string }, { pid?: number }, never>(child, { how: "wait" }, ({ pid }) => process.send?.(pid));
