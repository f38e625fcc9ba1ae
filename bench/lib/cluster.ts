// The FoundationDB cluster of a run: one server process with FoundationDB's usual limits, its data on the disk of the run.
import { Cluster } from "../../test/foundationdb/cluster.ts";

export class BenchCluster {
  readonly #cluster: Cluster;
  #prefixes = 0;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Resolves when the cluster is configured and available. */
  static async start(parent: string): Promise<BenchCluster> {
    return new BenchCluster(await Cluster.start({ parent, memory: "usual" }));
  }

  get clusterFile(): string {
    return this.#cluster.clusterFile;
  }

  /** A prefix that nothing has used yet. */
  prefix(): string {
    this.#prefixes++;
    return `run-${this.#prefixes}/`;
  }

  /** Ends it and removes its data. */
  stop(): Promise<void> {
    return this.#cluster.stop();
  }
}
