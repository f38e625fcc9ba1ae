// Who this process is to others that share its store: an instance that stays the same over restarts, held by a locked state file.
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { WriterIdentity } from "../log/beat.ts";
import { holdFile } from "../native/hold-file.ts";
import { CliError, Exit } from "./failure.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What a state file says: the instance, and for people who holds it. */
interface State {
  readonly instance: string;
  readonly pid: number;
  readonly host: string;
  readonly startedAt: string;
}

function parseState(text: string): Partial<State> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    // Nothing in it yet, or the disk was full when it was written: a new instance begins.
    return {};
  }
}

function readState(fileName: string): Partial<State> {
  try {
    return parseState(readFileSync(fileName, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return {};
    }
    throw error;
  }
}

/** Differs after a reboot, and between machines. */
function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** Somebody new, of whom nothing is left when the process ends: for single commands, and where nobody else can have the store open. */
export function passingWriter(): WriterIdentity {
  const startedAt = new Date().toISOString();
  return { id: randomUUID(), host: os.hostname(), pid: process.pid, boot: bootId(), lock: null, startedAt };
}

/**
 * The instance whose state lies in `dir` (made 0700 when it is missing), for the rest of this process: its file is locked, so that no second process
 * is the same instance at the same time. Throws `state-locked` when one is, and the system's errors.
 */
export function lastingWriter(dir: string): WriterIdentity {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const fileName = path.join(dir, "instance");
  const passing = passingWriter();
  const known = readState(fileName).instance ?? "";
  const instance = UUID.test(known) ? known : randomUUID();
  const state: State = { instance, pid: passing.pid, host: passing.host, startedAt: passing.startedAt };
  const held = holdFile(fileName, `${JSON.stringify(state)}\n`);
  if ("heldBy" in held) {
    const { pid, host, startedAt } = parseState(held.heldBy);
    throw new CliError(
      "state-locked",
      `${fileName} is in use by process ${pid} on ${host} since ${startedAt}`,
      "one sidecar has one state folder: stop the other, or give this one its own with --state",
      Exit.REFUSED,
    );
  }
  return { ...passing, id: `${instance}/${passing.id}`, lock: held.identity };
}
