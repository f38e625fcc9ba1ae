// Clusters of FoundationDB for tests: one or three server processes on the loopback interface, in a temporary folder, gone when the test is gone.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { serverPrograms } from "./installed.ts";

export interface ClusterOptions {
  /** One (`single ssd`) or three, each a machine of its own (`double ssd`). */
  readonly processes?: 1 | 3;
  /** Where its folder is made; default: the system's for temporary files. */
  readonly parent?: string;
  /** Small servers (the default), so that tests may run beside other things, or FoundationDB's own limits, for measuring. */
  readonly memory?: "small" | "usual";
}

export interface Answer {
  readonly code: number | null;
  /** What it printed, on both of its outputs. */
  readonly text: string;
}

const AVAILABLE_SECONDS = 60;
const POLL_MS = 200;
/** Below the range of ports that the kernel gives to clients: a server that is restarted must find its port free. */
const PORTS = { first: 20_000, count: 12_000 } as const;
const PASSPHRASE = /potentially dangerous operation\.\s+(\w{10})\s/;
const SMALL = ["--memory", "6GiB", "--cache-memory", "128MiB"];

/** Whether nobody listens on a port of the loopback interface. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  const free = await listening;
  if (free) {
    await new Promise((resolve) => server.close(resolve));
  }
  return free;
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (!ports.includes(port) && (await isFree(port))) {
      ports.push(port);
    }
  }
  return ports;
}

/** The last lines of a file, or of nothing. */
function tailOf(file: string, lines: number): string {
  return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n") : "";
}

/** A server process of the cluster: where it lives, and its process while it runs. */
class Member {
  readonly port: number;
  readonly #folder: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;

  constructor(folder: string, index: number, port: number, clusterFile: string, memory: readonly string[]) {
    this.port = port;
    this.#folder = path.join(folder, `server-${index}`);
    for (const name of ["data", "logs"]) {
      mkdirSync(path.join(this.#folder, name), { recursive: true });
    }
    const machine = String(index + 1).padStart(16, "0");
    const places = [
      "-p",
      `127.0.0.1:${port}`,
      "-C",
      clusterFile,
      "-d",
      path.join(this.#folder, "data"),
      "-L",
      path.join(this.#folder, "logs"),
    ];
    this.#args = [...places, "--locality-machineid", machine, "--locality-zoneid", machine, ...memory];
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) {
      throw new Error(`the server on port ${this.port} does not run`);
    }
    return pid;
  }

  get runs(): boolean {
    return this.#child !== null;
  }

  start(): void {
    if (this.#child !== null) {
      throw new Error(`the server on port ${this.port} runs already`);
    }
    const output = openSync(path.join(this.#folder, "output"), "a");
    const child = spawn(serverPrograms().server, this.#args, { stdio: ["ignore", output, output] });
    closeSync(output);
    const pidFile = path.join(this.#folder, "pid");
    writeFileSync(pidFile, String(child.pid));
    child.once("exit", () => {
      rmSync(pidFile, { force: true });
      this.#child = null;
    });
    this.#child = child;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null) {
      return;
    }
    const ended = signal === "SIGKILL" || signal === "SIGTERM" ? once(child, "exit") : null;
    child.kill(signal);
    await ended;
  }

  /** What it said last: its output, and the warnings and errors of its newest trace file. */
  lastWords(): string {
    const logs = path.join(this.#folder, "logs");
    const newest = readdirSync(logs).sort().at(-1);
    const traced = newest === undefined ? "" : readFileSync(path.join(logs, newest), "utf8");
    const severe = traced.split("\n").filter((line) => /Severity="[34]0"/.test(line));
    return [`server on port ${this.port}:`, tailOf(path.join(this.#folder, "output"), 10), ...severe.slice(-10)].join("\n");
  }
}

/**
 * Waits until this process is gone, however it ended, then kills the servers and removes the folder: its standard input is a pipe that only this process
 * holds. In a process group of its own, so that what kills the test's does not kill it.
 */
function startReaper(folder: string): ChildProcess {
  const script = 'read -r _; for f in "$0"/server-*/pid; do kill -9 "$(cat "$f")"; done; sleep 1; rm -rf "$0"';
  const reaper = spawn("sh", ["-c", script, folder], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  reaper.unref();
  return reaper;
}

export class Cluster {
  /** The servers' own. Clients that may rewrite it get a copy: `copyOfClusterFile`. */
  readonly clusterFile: string;
  readonly #folder: string;
  readonly #members: readonly Member[];
  readonly #reaper: ChildProcess;
  #copies = 0;

  private constructor(folder: string, ports: readonly number[], memory: readonly string[]) {
    this.#folder = folder;
    this.clusterFile = path.join(folder, "fdb.cluster");
    writeFileSync(this.clusterFile, `seguro:test@${ports.map((port) => `127.0.0.1:${port}`).join(",")}\n`);
    this.#members = ports.map((port, index) => new Member(folder, index, port, this.clusterFile, memory));
    this.#reaper = startReaper(folder);
  }

  /** Resolves when the cluster is configured and available. */
  static async start({ processes = 1, parent = os.tmpdir(), memory = "small" }: ClusterOptions = {}): Promise<Cluster> {
    const folder = mkdtempSync(path.join(parent, "seguro-fdb-"));
    const cluster = new Cluster(folder, await freePorts(processes), memory === "small" ? SMALL : []);
    try {
      for (const member of cluster.#members) {
        member.start();
      }
      await cluster.#configure(`configure new ${processes === 1 ? "single" : "double"} ssd`);
      await cluster.available();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** The process id of a server that runs. */
  pid(index: number): number {
    return this.#member(index).pid;
  }

  /** The address of a server, as fdbcli knows it. */
  address(index: number): string {
    return `127.0.0.1:${this.#member(index).port}`;
  }

  /** Sends a signal; where it ends the server, resolves when it has ended. */
  kill(index: number, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    return this.#member(index).kill(signal);
  }

  /** Starts a server again that was killed. */
  restart(index: number): void {
    this.#member(index).start();
  }

  /** A copy of the cluster file in a folder of its own, as each client should have one. */
  copyOfClusterFile(): string {
    this.#copies++;
    const folder = path.join(this.#folder, `client-${this.#copies}`);
    mkdirSync(folder);
    const file = path.join(folder, "fdb.cluster");
    writeFileSync(file, readFileSync(this.clusterFile));
    return file;
  }

  /** Runs commands of fdbcli, separated by ";". What it wants repeated before a dangerous one is repeated. */
  async fdbcli(commands: string, { seconds = 10 }: { readonly seconds?: number } = {}): Promise<Answer> {
    const args = ["-C", this.clusterFile, "--timeout", String(seconds), "--exec", commands];
    const child = spawn(serverPrograms().cli, args, { timeout: (seconds + 5) * 1000, killSignal: "SIGKILL" });
    child.stdin.on("error", () => undefined);
    let text = "";
    const take = (chunk: Buffer): void => {
      text += chunk.toString();
      const word = PASSPHRASE.exec(text)?.[1];
      if (word !== undefined) {
        child.stdin.end(`${word}\n`);
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const [code] = (await once(child, "close")) as [number | null];
    return { code, text };
  }

  /** Resolves when the cluster takes transactions. */
  async available(seconds = AVAILABLE_SECONDS): Promise<void> {
    await this.#until(seconds, "status minimal", (text) => text.includes("The database is available"));
  }

  /** Kills the servers and removes everything. */
  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill("SIGKILL")));
    rmSync(this.#folder, { recursive: true, force: true });
    this.#reaper.stdin?.end();
  }

  #member(index: number): Member {
    const member = this.#members[index];
    if (member === undefined) {
      throw new RangeError(`the cluster has no server ${index}`);
    }
    return member;
  }

  async #configure(command: string): Promise<void> {
    await this.#until(AVAILABLE_SECONDS, command, (text) => /Database created|already exists/.test(text));
  }

  /** Repeats a command until its answer is the right one. Throws with what the servers said last. */
  async #until(seconds: number, command: string, isRight: (text: string) => boolean): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const { text } = await this.fdbcli(command, { seconds: 5 });
      if (isRight(text)) {
        return;
      }
      if (Date.now() > deadline) {
        const words = this.#members.map((member) => (member.runs ? "" : "(ended) ") + member.lastWords());
        throw new Error(`no cluster within ${seconds} s; fdbcli "${command}" says: ${text}\n${words.join("\n")}`);
      }
      await sleep(POLL_MS);
    }
  }
}
