// A writer over a ring that does what it is told, a line at a time (test/native/lane_client.c).
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { compileClient } from "./native.ts";

/** Of a fake ship. */
export class LaneClient {
  readonly #child;
  readonly #lines;
  readonly ended: Promise<unknown>;

  constructor(program: string, socket: string, ship = "~zod") {
    this.#child = spawn(program, [socket, ship], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdin.on("error", () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.ended = once(this.#child, "close");
  }

  /** Says a line; resolves with the answer, or "" when the program has ended. */
  async say(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    const { value } = (await this.#lines.next()) as { value?: string };
    return value ?? "";
  }

  async end(signal?: NodeJS.Signals): Promise<void> {
    if (signal === undefined) {
      this.#child.stdin.end();
    } else {
      this.#child.kill(signal);
    }
    await this.ended;
  }
}

export function compileLane(folder: string): string {
  return compileClient(path.join(folder, "lane_client"), "lane_client.c");
}
