/* The control of FoundationDB's figures: what Seguro's phase 2 did. One key an event, or one for each 10,000-byte fragment of a larger one, plain
 * transactions with default options.
 *
 *   fdb_control CLUSTER-FILE PREFIX append TRANSACTIONS EVENTS-PER-TRANSACTION BYTES-PER-EVENT TRANSACTIONS-IN-FLIGHT
 *   fdb_control CLUSTER-FILE PREFIX replay want_all | serial
 *
 * A prefix is appended to once; replay reads every byte of it by range reads, one after the other. Each prints one line of JSON: the
 * transactions' latencies with events a second (append), or the transfer and a sum over all bytes (replay).
 */
#define FDB_API_VERSION 720
#include <foundationdb/fdb_c.h>
#include <pthread.h>

#include "bench.h"

#define FRAGMENT_BYTES 10000
#define PREFIX_MAX 64
#define KEY_MAX (PREFIX_MAX + 13)

typedef struct control {
  FDBDatabase *database;
  const char *prefix;
  size_t prefix_length;
} control;

typedef struct flight {
  FDBTransaction *transaction;
  FDBFuture *future;
  uint64_t first_id;
  uint64_t start_ns;
} flight;

typedef struct load {
  uint64_t transactions;
  uint64_t events;
  uint64_t size;
  uint64_t in_flight;
  const uint8_t *payload;
} load;

static void require(fdb_error_t code, const char *step) {
  if (code != 0) {
    bench_fail("fdb_control: %s: %s (%d)", step, fdb_get_error(code), code);
  }
}

static void *run_network(void *unused) {
  (void)unused;
  require(fdb_run_network(), "network");
  return NULL;
}

/* prefix | 00 | event id, u64 big-endian | fragment, u32 big-endian */
static size_t key_of(const control *self, uint64_t id, uint32_t fragment, uint8_t *key) {
  memcpy(key, self->prefix, self->prefix_length);
  uint8_t *at = key + self->prefix_length;
  *at++ = 0;
  uint64_t id_be = __builtin_bswap64(id);
  uint32_t fragment_be = __builtin_bswap32(fragment);
  memcpy(at, &id_be, sizeof id_be);
  memcpy(at + sizeof id_be, &fragment_be, sizeof fragment_be);
  return self->prefix_length + 13;
}

/* How many fragments follow the first, which is the odd-sized one. */
static uint32_t fragments_after(uint64_t size) { return size == 0 ? 0 : (uint32_t)((size - 1) / FRAGMENT_BYTES); }

/* One byte below 128, else 0x80 | n and n little-endian bytes. */
static size_t put_count(uint32_t count, uint8_t *at) {
  if (count < 128) {
    *at = (uint8_t)count;
    return 1;
  }
  size_t bytes = 0;
  for (; count != 0; count >>= 8) {
    at[++bytes] = (uint8_t)count;
  }
  *at = (uint8_t)(0x80 | bytes);
  return bytes + 1;
}

static void set_event(const control *self, FDBTransaction *transaction, uint64_t id, const load *load) {
  uint8_t key[KEY_MAX], value[FRAGMENT_BYTES + 5];
  uint32_t after = fragments_after(load->size);
  size_t first = load->size - (uint64_t)after * FRAGMENT_BYTES;
  size_t head = put_count(after, value);
  memcpy(value + head, load->payload, first);
  size_t key_length = key_of(self, id, 0, key);
  fdb_transaction_set(transaction, key, (int)key_length, value, (int)(head + first));
  for (uint32_t i = 1; i <= after; i++) {
    key_length = key_of(self, id, i, key);
    const uint8_t *piece = load->payload + first + (uint64_t)(i - 1) * FRAGMENT_BYTES;
    fdb_transaction_set(transaction, key, (int)key_length, piece, FRAGMENT_BYTES);
  }
}

static void submit(const control *self, flight *flight, const load *load) {
  for (uint64_t i = 0; i < load->events; i++) {
    set_event(self, flight->transaction, flight->first_id + i, load);
  }
  flight->future = fdb_transaction_commit(flight->transaction);
}

/* Waits for a transaction that is under way; one that FoundationDB says to repeat is repeated. */
static void land(const control *self, flight *flight, const load *load) {
  for (;;) {
    require(fdb_future_block_until_ready(flight->future), "wait");
    fdb_error_t code = fdb_future_get_error(flight->future);
    fdb_future_destroy(flight->future);
    flight->future = NULL;
    if (code == 0) {
      return;
    }
    FDBFuture *again = fdb_transaction_on_error(flight->transaction, code);
    require(fdb_future_block_until_ready(again), "wait");
    require(fdb_future_get_error(again), "commit");
    fdb_future_destroy(again);
    submit(self, flight, load);
  }
}

static void append(const control *self, const load *load) {
  flight *flights = bench_allocate(load->in_flight, sizeof *flights);
  uint64_t *took_ns = bench_allocate(load->transactions, sizeof *took_ns);
  uint64_t begin_ns = bench_now_ns();
  for (uint64_t i = 0; i < load->transactions + load->in_flight; i++) {
    flight *flight = &flights[i % load->in_flight];
    if (flight->transaction != NULL) {
      land(self, flight, load);
      took_ns[i - load->in_flight] = bench_now_ns() - flight->start_ns;
      fdb_transaction_destroy(flight->transaction);
      flight->transaction = NULL;
    }
    if (i < load->transactions) {
      flight->start_ns = bench_now_ns();
      flight->first_id = 1 + i * load->events;
      require(fdb_database_create_transaction(self->database, &flight->transaction), "transaction");
      submit(self, flight, load);
    }
  }
  uint64_t total_ns = bench_now_ns() - begin_ns;
  bench_print_latencies(took_ns, load->transactions, load->transactions * load->events, total_ns);
  free(took_ns);
  free(flights);
}

typedef struct walk {
  uint8_t next[KEY_MAX + 1];
  size_t next_length;
  uint64_t events, bytes, sum;
  uint32_t after; /* fragments of the event that are still to come */
} walk;

static uint64_t sum_of(const uint8_t *bytes, size_t length) {
  uint64_t sum = 0, word;
  for (; length >= sizeof word; bytes += sizeof word, length -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    sum += word;
  }
  for (size_t i = 0; i < length; i++) {
    sum += bytes[i];
  }
  return sum;
}

static void take_row(walk *walk, const FDBKeyValue *row) {
  size_t head = 0;
  if (walk->after == 0) {
    head = 1;
    walk->after = row->value[0];
    if (row->value[0] >= 0x80) {
      head += row->value[0] & 0x7f;
      walk->after = 0;
      memcpy(&walk->after, row->value + 1, head - 1);
    }
    walk->events++;
  } else {
    walk->after--;
  }
  walk->bytes += (size_t)row->value_length - head;
  walk->sum += sum_of(row->value + head, (size_t)row->value_length - head);
}

/* The next range of rows; whether there are more. */
static fdb_bool_t take_rows(walk *walk, FDBFuture *future) {
  const FDBKeyValue *rows;
  int count;
  fdb_bool_t more;
  require(fdb_future_get_keyvalue_array(future, &rows, &count, &more), "rows");
  for (int i = 0; i < count; i++) {
    take_row(walk, &rows[i]);
  }
  if (count > 0) {
    const FDBKeyValue *last = &rows[count - 1];
    memcpy(walk->next, last->key, (size_t)last->key_length);
    walk->next[last->key_length] = 0;
    walk->next_length = (size_t)last->key_length + 1;
  }
  return more;
}

static void replay(const control *self, FDBStreamingMode mode) {
  walk walk;
  memset(&walk, 0, sizeof walk);
  uint8_t end[KEY_MAX];
  size_t end_length = key_of(self, UINT64_MAX, UINT32_MAX, end);
  walk.next_length = key_of(self, 0, 0, walk.next);
  FDBTransaction *transaction;
  require(fdb_database_create_transaction(self->database, &transaction), "transaction");
  uint64_t begin_ns = bench_now_ns();
  for (fdb_bool_t more = 1, iteration = 1; more; iteration++) {
    FDBFuture *future = fdb_transaction_get_range(transaction, FDB_KEYSEL_FIRST_GREATER_OR_EQUAL(walk.next, (int)walk.next_length),
                                                  FDB_KEYSEL_FIRST_GREATER_OR_EQUAL(end, (int)end_length), 0, 0, mode, iteration, 1, 0);
    require(fdb_future_block_until_ready(future), "wait");
    fdb_error_t code = fdb_future_get_error(future);
    if (code == 0) {
      more = take_rows(&walk, future);
    } else { /* the five seconds are over, or whatever else passes: a new transaction goes on at the same key */
      FDBFuture *again = fdb_transaction_on_error(transaction, code);
      require(fdb_future_block_until_ready(again), "wait");
      require(fdb_future_get_error(again), "read");
      fdb_future_destroy(again);
    }
    fdb_future_destroy(future);
  }
  uint64_t total_ns = bench_now_ns() - begin_ns;
  fdb_transaction_destroy(transaction);
  if (walk.events == 0 || walk.after != 0) {
    bench_fail("fdb_control: %s holds no whole log", self->prefix);
  }
  fprintf(stderr, "sum %016llx\n", (unsigned long long)walk.sum);
  bench_print_transfer(walk.events, walk.bytes, total_ns);
}

static void work(const control *self, int argc, char **argv) {
  if (argc == 8 && strcmp(argv[3], "append") == 0) {
    load load = {bench_number(argv[4]), bench_number(argv[5]), bench_number(argv[6]), bench_number(argv[7]), NULL};
    uint8_t *payload = bench_allocate(1, load.size);
    bench_fill(payload, load.size);
    load.payload = payload;
    append(self, &load);
    free(payload);
  } else if (argc == 5 && strcmp(argv[3], "replay") == 0) {
    replay(self, strcmp(argv[4], "serial") == 0 ? FDB_STREAMING_MODE_SERIAL : FDB_STREAMING_MODE_WANT_ALL);
  } else {
    bench_fail("fdb_control CLUSTER-FILE PREFIX append TRANSACTIONS EVENTS BYTES IN-FLIGHT | replay want_all | serial");
  }
}

int main(int argc, char **argv) {
  if (argc < 4 || strlen(argv[2]) > PREFIX_MAX) {
    bench_fail("fdb_control CLUSTER-FILE PREFIX append TRANSACTIONS EVENTS BYTES IN-FLIGHT | replay want_all | serial");
  }
  control self = {NULL, argv[2], strlen(argv[2])};
  pthread_t network;
  require(fdb_select_api_version(FDB_API_VERSION), "API version");
  require(fdb_setup_network(), "network");
  if (pthread_create(&network, NULL, run_network, NULL) != 0) {
    bench_fail("fdb_control: no thread");
  }
  require(fdb_create_database(argv[1], &self.database), "database");
  work(&self, argc, argv);
  fdb_database_destroy(self.database);
  require(fdb_stop_network(), "network");
  pthread_join(network, NULL);
  return 0;
}
