// The sidecar's answers to administration, checked before anything of them is used (their shapes: docs/cli.md).
import { z } from "zod";
import type { AdminAnswer } from "../client/client.ts";
import { CliError } from "./failure.ts";

/** Ids and counts come as text: JSON's numbers end at 2^53. */
const id = z.union([z.int().nonnegative(), z.string().regex(/^\d+$/)]).transform(BigInt);
const kind = z.enum(["real", "fake"]);

const logAnswer = z.looseObject({
  log: z.int(),
  state: z.string(),
  base: id,
  height: id,
  events: id,
  digest: z.looseObject({ id, digest: z.string() }).nullish(),
});

const shipAnswer = z.looseObject({
  ship: z.string(),
  kind,
  /** 0 when the last log was retired and no new one has begun. */
  currentLog: z.int(),
  /** Where else the ship's log lives, or goes, or comes from. */
  moved: z.looseObject({ state: z.enum(["moving-to", "moved-to", "copied-to", "moving-from"]), store: z.string() }).nullish(),
  /** Who writes the ship now. */
  writer: z.string().nullable(),
  logs: z.array(logAnswer),
});

const listAnswer = z.looseObject({ ships: z.array(shipAnswer) });

const sessionAnswer = z.looseObject({
  ship: z.string().nullable(),
  kind: kind.nullish(),
  role: z.string(),
  version: z.int().nullable(),
  uid: z.int(),
  pid: z.int(),
  transport: z.string(),
  /** How long ago it connected. */
  sinceMs: z.number(),
});

const statusAnswer = z.looseObject({
  version: z.string(),
  uptimeMs: z.number(),
  store: z.looseObject({ name: z.string() }),
  /** False: the store is away, and `ships` are not known. */
  storeAnswers: z.boolean().default(true),
  ships: z.array(shipAnswer),
  sessions: z.array(sessionAnswer),
});

const damageAnswer = z.looseObject({ id: id.nullish(), code: z.string(), text: z.string() });
const verifyAnswer = z.looseObject({ events: id, bytes: id, id, digest: z.string(), damage: z.array(damageAnswer) });
const verifyProgress = z.looseObject({ id, height: id });
const retireAnswer = z.looseObject({ log: z.int() });
const forgetAnswer = z.looseObject({ log: z.int(), events: id });
const fenceAnswer = z.looseObject({ ship: z.string(), from: z.string().nullable() });

export type ListAnswer = z.infer<typeof listAnswer>;
export type StatusAnswer = z.infer<typeof statusAnswer>;
export type VerifyAnswer = z.infer<typeof verifyAnswer>;

function reader<Schema extends z.ZodType>(verb: string, schema: Schema): (answer: AdminAnswer) => z.infer<Schema> {
  return (answer) => {
    const result = schema.safeParse(answer);
    if (result.success) {
      return result.data;
    }
    const field = result.error.issues[0]?.path.join(".") ?? "";
    throw new CliError(
      "bad-answer",
      `the sidecar's answer to "${verb}" is not as expected (at "${field}")`,
      "its version may differ from this command's; compare `seguro version` with `seguro status --json`",
    );
  };
}

export const readList = reader("list", listAnswer);
export const readStatus = reader("status", statusAnswer);
export const readVerify = reader("verify", verifyAnswer);
export const readVerifyProgress = reader("verify", verifyProgress);
export const readRetire = reader("retire", retireAnswer);
export const readForget = reader("forget", forgetAnswer);
export const readFence = reader("fence", fenceAnswer);
