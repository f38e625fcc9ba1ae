#!/usr/bin/env node
// The `seguro` command. Loads the rest only here, so that even an installation without its native part says what to do.
import { keepHeapSmall } from "../operate/heap.ts";

const EXIT_FAILED = 1;

// Before the rest is loaded: loading alone would make the heap's young generation grow.
keepHeapSmall();

// Whoever reads the output may stop early (`seguro list | head`): that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") {
    throw error;
  }
});

const argv = process.argv.slice(2);
try {
  const { runProgram } = await import("./program.ts");
  await runProgram(argv);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  const failure = { code: "failed", message, hint: "", exitCode: EXIT_FAILED };
  if (argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify({ error: failure })}\n`);
  } else {
    process.stderr.write(`seguro: ${message.replace(/^seguro: /, "")}\n`);
  }
  process.exitCode = EXIT_FAILED;
}
