/* The control of every durable figure: plain C LMDB with its default flags, ascending 8-byte keys, one commit (and so one flush) a batch.
 *
 *   lmdb_control DIR BATCHES EVENTS-PER-BATCH BYTES-PER-EVENT
 *
 * The folder must exist. Prints one line of JSON: the batches' latencies (p50, p90, p99, in microseconds), and events a second over all.
 */
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const size_t map_bytes = (size_t)1 << 40;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void require(int rc, const char *step) {
  if (rc == 0) return;
  fprintf(stderr, "lmdb_control: %s: %s\n", step, mdb_strerror(rc));
  exit(1);
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void commit_batch(MDB_env *env, MDB_dbi dbi, uint64_t first, size_t events, void *bytes, size_t size) {
  MDB_txn *txn;
  require(mdb_txn_begin(env, NULL, 0, &txn), "begin");
  for (size_t i = 0; i < events; i++) {
    uint64_t id = __builtin_bswap64(first + i);
    MDB_val key = {sizeof id, &id}, value = {size, bytes};
    require(mdb_put(txn, dbi, &key, &value, 0), "put");
  }
  require(mdb_txn_commit(txn), "commit");
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "lmdb_control DIR BATCHES EVENTS-PER-BATCH BYTES-PER-EVENT\n");
    return 2;
  }
  size_t batches = strtoul(argv[2], NULL, 10), events = strtoul(argv[3], NULL, 10), size = strtoul(argv[4], NULL, 10);
  if (batches == 0 || events == 0) return 2;
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
  uint64_t begin_ns = now_ns();
  for (size_t i = 0; i < batches; i++) {
    uint64_t start_ns = now_ns();
    commit_batch(env, dbi, before.ms_entries + i * events, events, bytes, size);
    took_ns[i] = now_ns() - start_ns;
  }
  double seconds = (double)(now_ns() - begin_ns) / 1e9;
  qsort(took_ns, batches, sizeof *took_ns, by_value);
  printf("{\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,\"events_per_s\":%.0f}\n", (double)took_ns[batches / 2] / 1e3,
         (double)took_ns[batches * 9 / 10] / 1e3, (double)took_ns[batches * 99 / 100] / 1e3, (double)(batches * events) / seconds);
  mdb_env_close(env);
  free(took_ns);
  free(bytes);
  return 0;
}
