// The work of `seguro serve`: the sidecar itself, from its start to a graceful stop.
import { chmodSync } from "node:fs";
import path from "node:path";
import type { Logger } from "pino";
import { keepFreedMemory } from "../native/memory.ts";
import { systemAccess } from "../operate/access.ts";
import { systemTime } from "../operate/clock.ts";
import { type Config, loadConfig, RING_SIZE_RULE } from "../operate/config.ts";
import { LOG_LEVELS, type LogLevel } from "../operate/log-levels.ts";
import { makeLogger } from "../operate/logger.ts";
import { defaultState, defaultStore } from "../operate/paths.ts";
import { VERSION } from "../operate/version.ts";
import type { Sidecar } from "../session/sidecar.ts";
import { DiscardingKv } from "../store/discarding.ts";
import type { Kv } from "../store/kv.ts";
import { openKv } from "../store/open.ts";
import { isRingSize, RING_BYTES_DEFAULT } from "../wire/constants.ts";
import { type BenchSwitches, benchSwitches } from "./bench-switches.ts";
import { Exit, type ExitCode, usageError } from "./failure.ts";
import { lastingWriter, passingWriter } from "./instance.ts";
import type { Output } from "./output.ts";
import { startSidecar } from "./start-sidecar.ts";
import { socketOf } from "./target.ts";
import type { TargetOptions } from "./verb.ts";

const SHARED_SOCKET_MODE = 0o666;
const STOP_PATIENCE_MS = 10_000;
/** A few of the largest blocks, so that a busy sidecar uses the same memory over and over. */
const FREED_BYTES_KEPT = 64 << 20;

export interface ServeOptions extends TargetOptions {
  readonly state?: string;
  readonly config?: string;
  readonly logLevel?: string;
  readonly ringSize?: string;
  /** False with --no-ring. */
  readonly ring?: boolean;
}

interface Settings {
  readonly socketPath: string;
  readonly storeUrl: string;
  readonly stateDir: string;
  readonly logLevel: LogLevel;
  readonly ringBytes: number | null;
  readonly config: Config;
  readonly bench: BenchSwitches;
}

function logLevelOf(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level === undefined) {
    throw usageError(`"${text}" is not a log level`, `levels are ${LOG_LEVELS.join(", ")}`);
  }
  return level;
}

/** Bytes of each direction of a session's shared memory; null where there shall be none. */
function ringBytesOf({ ring, ringSize }: ServeOptions, config: Config["ring"]): number | null {
  if (ring === false || (ringSize === undefined && config?.enabled === false)) {
    return null;
  }
  if (ringSize === undefined) {
    return config?.sizeBytes ?? RING_BYTES_DEFAULT;
  }
  const bytes = /^\d+$/.test(ringSize) ? Number(ringSize) : Number.NaN;
  if (!isRingSize(bytes)) {
    throw usageError(`--ring-size ${ringSize} ${RING_SIZE_RULE}`, `the default is ${RING_BYTES_DEFAULT}`);
  }
  return bytes;
}

/** The command line wins over the configuration, that over the defaults. */
function settingsOf(options: ServeOptions): Settings {
  const config = options.config === undefined ? {} : loadConfig(options.config);
  const socket = options.socket ?? config.socket;
  const socketPath = socketOf(socket === undefined ? {} : { socket });
  const storeUrl = options.store ?? config.store ?? defaultStore(process.env);
  return {
    socketPath,
    storeUrl,
    stateDir: options.state ?? config.state ?? defaultState(process.env, socketPath),
    logLevel: logLevelOf(options.logLevel ?? config.log?.level ?? "info"),
    ringBytes: ringBytesOf(options, config.ring),
    config,
    bench: benchSwitches(process.env, storeUrl),
  };
}

/** Resolves with the first signal that asks for an end; from then on a second one ends the process at once. */
function stopSignal(logger: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = (signal: NodeJS.Signals): void => {
      if (asked) {
        logger.warn({ signal }, "second signal: ending at once");
        process.exit(Exit.INTERRUPTED);
      }
      asked = true;
      resolve(signal);
    };
    process.on("SIGTERM", ask);
    process.on("SIGINT", ask);
  });
}

/** Listens; with users in the configuration others may connect too, and are told apart by the uid that the kernel reports. */
async function listen(kv: Kv, settings: Settings, logger: Logger): Promise<Sidecar> {
  const { socketPath, stateDir, config, ringBytes } = settings;
  const { digests } = settings.bench;
  keepFreedMemory(FREED_BYTES_KEPT);
  // Where nobody else can have the store open it does not matter who this is.
  const writer = kv.shared ? lastingWriter(stateDir) : passingWriter();
  const users = config.users ?? {};
  const sidecar = await startSidecar({ kv, writer, socketPath, logger, limits: config.limits, users, ringBytes, digests });
  if (systemAccess(config.users).shared) {
    chmodSync(socketPath, SHARED_SOCKET_MODE);
  }
  return sidecar;
}

/** A store that does not answer is waited for, and said to be waited for: at the start as at any other time. */
function openStore(url: string, logger: Logger): Promise<Kv> {
  return openKv(url, {
    startedAt: new Date().toISOString(),
    time: systemTime,
    clusterFile: process.env.FDB_CLUSTER_FILE,
    // For tests and measurements that compare the two ways of an append (docs/lane.md).
    lanes: process.env.SEGURO_TEST_LANES !== "off",
    onStall: (seconds, what) => logger.warn({ seconds, what }, "the store does not answer"),
    onResume: () => logger.info("the store answers again"),
  });
}

/** False when commits still hang after a while: a store on a network may be away for long, and nobody shall have to kill this process. */
async function endedInTime(ended: Promise<void>): Promise<boolean> {
  const patience = new AbortController();
  const inTime = ended.then(() => true);
  try {
    return await Promise.race([inTime, systemTime.sleep(STOP_PATIENCE_MS, patience.signal).then(() => false)]);
  } finally {
    patience.abort();
  }
}

/** Serves until a signal ends it. */
export async function serve(options: ServeOptions, output: Output): Promise<ExitCode> {
  const settings = settingsOf(options);
  const logger = makeLogger(settings.logLevel);
  const opened = await openStore(settings.storeUrl, logger);
  const kv = settings.bench.discards ? new DiscardingKv(opened) : opened;
  let sidecar: Sidecar;
  try {
    sidecar = await listen(kv, settings, logger);
  } catch (error) {
    await kv.close();
    throw error;
  }
  const stopped = stopSignal(logger);
  const ready = { version: VERSION, pid: process.pid, socket: path.resolve(settings.socketPath), store: kv.name };
  output.result(ready, () => `seguro ${VERSION} serves ${ready.store} on ${ready.socket}\n`);
  logger.info({ version: VERSION, socket: ready.socket, store: ready.store }, "ready");
  const signal = await stopped;
  logger.info({ signal }, "stopping: finishing commits");
  const ended = sidecar.stop();
  if (!(await endedInTime(ended))) {
    logger.warn("the store does not answer: stopping without it; what was acknowledged is there");
  }
  await kv.close();
  await ended;
  logger.info("stopped");
  return Exit.OK;
}
