// Where a run of the benchmarks keeps its files: a folder on a real disk, removed at the end, and sockets with short paths.
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { BenchCluster } from "./cluster.ts";
import { BenchSidecar, type SidecarSettings } from "./sidecar.ts";

const TMPFS_MAGIC = 0x01021994;

export interface Size {
  readonly quick: number;
  readonly full: number;
}

export class Workplace {
  readonly isQuick: boolean;
  readonly #folder: string;
  readonly #socketFolder: string;
  readonly #sidecars: BenchSidecar[] = [];
  #cluster: BenchCluster | null = null;
  #made = 0;

  /** `parent` must be on a disk: on a memory file system flushes cost nothing and every durable figure would be wrong. */
  constructor(parent: string, isQuick: boolean) {
    mkdirSync(parent, { recursive: true });
    if (statfsSync(parent).type === TMPFS_MAGIC) {
      throw new Error(`${parent} is a memory file system, where nothing is durable; name a folder on a disk with --dir`);
    }
    this.isQuick = isQuick;
    this.#folder = mkdtempSync(path.join(parent, "run-"));
    this.#socketFolder = mkdtempSync(path.join(os.tmpdir(), "seguro-bench-"));
  }

  /** The number for this kind of run. */
  pick(size: Size): number {
    return this.isQuick ? size.quick : size.full;
  }

  /** A new, empty folder. */
  folder(title: string): string {
    const folder = this.path(title);
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  }

  /** A path of its own at which nothing lies. */
  path(title: string): string {
    this.#made++;
    return path.join(this.#folder, `${this.#made}-${title}`);
  }

  /** Runs `work` with a sidecar of its own on a new store of an embedded engine, and stops it. */
  async withSidecar<T>(title: string, work: (sidecar: BenchSidecar) => Promise<T>, engine: "lmdb" | "journal" = "lmdb"): Promise<T> {
    return await this.withSidecarOn(`${engine}:${this.path(title)}`, work);
  }

  /** The same on a store that may be there already. */
  async withSidecarOn<T>(storeUrl: string, work: (sidecar: BenchSidecar) => Promise<T>): Promise<T> {
    return await this.#with(storeUrl, {}, work);
  }

  /** Runs `work` with a sidecar of its own that keeps everything in memory, and stops it. */
  async withMemorySidecar<T>(settings: SidecarSettings, work: (sidecar: BenchSidecar) => Promise<T>): Promise<T> {
    return await this.#with("memory:", settings, work);
  }

  /** A FoundationDB cluster of one process, for all measures of a run: beside the run's folder, so that `clear` leaves it alone. */
  async cluster(): Promise<BenchCluster> {
    this.#cluster ??= await BenchCluster.start(path.dirname(this.#folder));
    return this.#cluster;
  }

  /** Runs `work` with a sidecar of its own on a new store in the cluster, and stops it. */
  async withClusterSidecar<T>(work: (sidecar: BenchSidecar, cluster: BenchCluster) => Promise<T>): Promise<T> {
    const cluster = await this.cluster();
    const url = `foundationdb:${cluster.clusterFile}?prefix=${cluster.prefix()}`;
    return await this.#with(url, { args: ["--state", this.folder("state")] }, (sidecar) => work(sidecar, cluster));
  }

  async #with<T>(storeUrl: string, settings: SidecarSettings, work: (sidecar: BenchSidecar) => Promise<T>): Promise<T> {
    this.#made++;
    const sidecar = await BenchSidecar.start(path.join(this.#socketFolder, `${this.#made}`), storeUrl, settings);
    this.#sidecars.push(sidecar);
    try {
      return await work(sidecar);
    } finally {
      await sidecar.stop();
    }
  }

  /** Removes what a measure has left, so that the next one does not share the disk with it. */
  clear(): void {
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder, { mode: 0o700 });
  }

  async close(): Promise<void> {
    await Promise.all(this.#sidecars.map((sidecar) => sidecar.stop()));
    await this.#cluster?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
    rmSync(this.#socketFolder, { recursive: true, force: true });
  }
}
