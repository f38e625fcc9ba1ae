// The child of guard.test.ts: does what its input says.
import { PierError } from "../../src/pier/errors.ts";
import { serveGuarded } from "../../src/pier/guard.ts";

const never = () => new Promise<never>((_, reject) => setTimeout(() => reject(new Error("nobody ended me")), 60_000));

serveGuarded<{ how: string }, { id: bigint; pid?: number }, unknown>(async ({ how }, progress) => {
  switch (how) {
    case "answer":
      progress({ id: 1n });
      progress({ id: 2n });
      return { big: 2n ** 63n, bytes: Buffer.from("abc"), how };
    case "pier-error":
      throw new PierError("pier-gap", "a gap", "a hint");
    case "other-error":
      throw Object.assign(new TypeError("odd"), { code: "ODD" });
    case "exit":
      return process.exit(3);
    case "wait":
      progress({ id: 7n, pid: process.pid });
      return await never();
    default:
      progress({ id: 7n });
      process.kill(process.pid, how as NodeJS.Signals);
      return await never();
  }
});
