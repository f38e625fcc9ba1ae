/* A stand-in for a live Vere: opens a log through stock LMDB and appends one event a transaction until its input ends.
 * live_writer FOLDER sync|nosync; prints "ready" after its first commit, and the last event's id at the end. */
#include <lmdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int code, const char *what) {
  if (code != 0) {
    fprintf(stderr, "live_writer: %s: %s\n", what, mdb_strerror(code));
    exit(1);
  }
}

/* live.test.ts has the same rule. */
static size_t fill(uint64_t id, uint8_t *payload) {
  size_t length = 5 + (id * 37) % 6000;
  for (size_t i = 0; i < length; i++) {
    payload[i] = (uint8_t)(1 + (id * 13 + i * 7) % 255);
  }
  return length;
}

int main(int count, char **arguments) {
  if (count != 3) {
    return 2;
  }
  MDB_env *env;
  check(mdb_env_create(&env), "create");
  mdb_env_set_maxdbs(env, 2);
  mdb_env_set_mapsize(env, (size_t)1 << 40);
  check(mdb_env_open(env, arguments[1], strcmp(arguments[2], "nosync") == 0 ? MDB_NOSYNC : 0, 0600), "open");
  static uint8_t payload[8192];
  uint64_t id = 1;
  struct pollfd input = {.fd = 0, .events = POLLIN};
  while (poll(&input, 1, 0) == 0) {
    MDB_txn *txn;
    MDB_dbi table;
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, "EVENTS", MDB_INTEGERKEY, &table), "table");
    id++;
    MDB_val key = {sizeof id, &id};
    MDB_val value = {fill(id, payload), payload};
    check(mdb_put(txn, table, &key, &value, MDB_NOOVERWRITE), "put");
    check(mdb_txn_commit(txn), "commit");
    if (id == 2) {
      puts("ready");
      fflush(stdout);
    }
  }
  mdb_env_close(env);
  printf("%llu\n", (unsigned long long)id);
  return 0;
}
