// The child process of `seguro import`: every failure crosses back with its code, hint and exit code.
import { serveGuarded } from "../pier/guard.ts";
import { type Failure, failureOf } from "./failure.ts";
import { type ImportJob, type ImportResult, type ImportStep, importPier } from "./import-work.ts";

export type ImportOutcome = { readonly result: ImportResult } | { readonly failure: Failure };

function plain({ code, message, hint, exitCode }: Failure): Failure {
  return { code, message, hint, exitCode };
}

serveGuarded<ImportJob, ImportStep, ImportOutcome>(async (job, report) => {
  try {
    return { result: await importPier(job, report) };
  } catch (error) {
    return { failure: plain(failureOf(error)) };
  }
});
