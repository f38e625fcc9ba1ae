/* The control of every durable figure: plain C LMDB with its default flags, ascending 8-byte keys, one commit (and so one flush) a batch.
 *
 *   lmdb_control DIR BATCHES EVENTS-PER-BATCH BYTES-PER-EVENT
 *   lmdb_control DIR BATCHES mix MANIFEST
 *
 * With `mix` the batches are commits as a ship makes them (mix.h).
 * The folder must exist. Prints one line of JSON: the batches' latencies (p50, p90, p99, in microseconds), and events a second over all.
 */
#include <lmdb.h>

#include "bench.h"
#include "mix.h"

static const size_t map_bytes = (size_t)1 << 40;

static void require(int rc, const char *step) {
  if (rc == 0) return;
  fprintf(stderr, "lmdb_control: %s: %s\n", step, mdb_strerror(rc));
  exit(1);
}

/* Events of the size given, or of the mix where there is one. */
static void commit_batch(MDB_env *env, MDB_dbi dbi, uint64_t first, size_t events, void *bytes, size_t size, bench_mix *mix) {
  MDB_txn *txn;
  require(mdb_txn_begin(env, NULL, 0, &txn), "begin");
  for (size_t i = 0; i < events; i++) {
    uint64_t id = __builtin_bswap64(first + i);
    MDB_val key = {sizeof id, &id}, value = {mix == NULL ? size : bench_mix_bytes(mix), bytes};
    require(mdb_put(txn, dbi, &key, &value, 0), "put");
  }
  require(mdb_txn_commit(txn), "commit");
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "lmdb_control DIR BATCHES EVENTS-PER-BATCH BYTES-PER-EVENT\n");
    return 2;
  }
  int is_mix = strcmp(argv[3], "mix") == 0;
  bench_mix mix = {0};
  if (is_mix) mix = bench_mix_read(argv[4]);
  size_t batches = bench_number(argv[2]), events = is_mix ? 0 : bench_number(argv[3]);
  size_t size = is_mix ? mix.greatest_bytes : bench_number(argv[4]);
  MDB_env *env;
  MDB_txn *txn;
  MDB_dbi dbi;
  require(mdb_env_create(&env), "create");
  require(mdb_env_set_mapsize(env, map_bytes), "map size");
  require(mdb_env_open(env, argv[1], MDB_NOTLS, 0600), "open");
  require(mdb_txn_begin(env, NULL, 0, &txn), "begin");
  require(mdb_dbi_open(txn, NULL, 0, &dbi), "open the database");
  MDB_stat before;
  require(mdb_stat(txn, dbi, &before), "stat");
  require(mdb_txn_commit(txn), "commit");

  uint64_t *took_ns = calloc(batches, sizeof *took_ns);
  char *bytes = malloc(size + 1);
  memset(bytes, 'e', size);
  uint64_t begin_ns = bench_now_ns(), next = before.ms_entries;
  for (size_t i = 0; i < batches; i++) {
    uint64_t start_ns = bench_now_ns();
    size_t count = is_mix ? bench_mix_events(&mix) : events;
    commit_batch(env, dbi, next, count, bytes, size, is_mix ? &mix : NULL);
    next += count;
    took_ns[i] = bench_now_ns() - start_ns;
  }
  bench_print_latencies(took_ns, batches, next - before.ms_entries, bench_now_ns() - begin_ns);
  mdb_env_close(env);
  free(took_ns);
  free(bytes);
  free(mix.sizes_bytes);
  return 0;
}
