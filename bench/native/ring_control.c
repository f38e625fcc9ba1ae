/* The control of every figure over shared memory: two processes, one ring (ring/ring.h), messages, nothing else.
 *
 *   ring_control transfer MESSAGES BYTES-PER-MESSAGE
 *   ring_control spin ROUNDS BYTES-PER-MESSAGE PROCESSOR
 *   ring_control sleep ROUNDS BYTES-PER-MESSAGE PROCESSOR
 *   ring_control walk MESSAGES BYTES-PER-MESSAGE DIR
 *   ring_control copy MESSAGES BYTES-PER-MESSAGE
 *
 * transfer: the child copies messages in, from memory larger than the processor's caches; the parent copies them out
 * and computes the CRC32C of each on its copy. Whoever can do nothing looks at the ring for a while and then sleeps
 * until a doorbell. spin: round trips in which both sides look without end, so they need two processors. sleep: round
 * trips in which both sides sleep, woken by a byte on a socket. Of both, one end runs on that processor, the other on those
 * that are left. walk: as transfer, but the messages are the values of an LMDB environment (of lmdb_control) in the order of
 * their keys. copy: no ring and no second process, each message is copied once, with memcpy, into memory of the ring's size.
 * Each prints one line of JSON.
 */
#include <lmdb.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "ring/ring.h"
#include "wire/crc32c.h"

static const uint64_t data_bytes = SEGURO_RING_DATA_BYTES_DEFAULT;
static const size_t source_bytes = 64u << 20;
/* So much is copied in before it is shown: as libseguro's appends leave. */
static const uint64_t publish_bytes = 65536;
/* So much is copied out before its room is given back. */
static const size_t take_bytes = 65536;

/* One process's end of both directions. */
typedef struct end {
  seguro_ring_producer producer;
  seguro_ring_consumer consumer;
  int fd;
  uint64_t spin_ns; /* how long to look before sleeping; UINT64_MAX: never sleep */
} end;

static void begin_end(end *self, void *memory, const seguro_ring_geometry *geometry, int fd, int is_server) {
  seguro_ring_way out = is_server ? SEGURO_RING_SERVER_TO_CLIENT : SEGURO_RING_CLIENT_TO_SERVER;
  seguro_ring_way in = is_server ? SEGURO_RING_CLIENT_TO_SERVER : SEGURO_RING_SERVER_TO_CLIENT;
  seguro_ring_producer_begin(&self->producer, memory, geometry, out);
  seguro_ring_consumer_begin(&self->consumer, memory, geometry, in);
  self->fd = fd;
}

static void ring_doorbell(end *self) {
  ssize_t ignored = send(self->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  (void)ignored;
}

static void sleep_until_doorbell(end *self) {
  struct pollfd watched = {.fd = self->fd, .events = POLLIN};
  uint8_t doorbells[64];
  poll(&watched, 1, -1);
  if (recv(self->fd, doorbells, sizeof doorbells, MSG_DONTWAIT) == 0) {
    bench_fail("ring_control: the other side has gone");
  }
}

/* Waits until there is something to take (or room). */
static void wait_for(end *self, int is_room) {
  uint64_t until_ns = 0;
  for (;;) {
    for (int i = self->spin_ns > 0 ? 64 : 0; i > 0; i--) {
      int64_t found = is_room ? seguro_ring_room(&self->producer) : seguro_ring_available(&self->consumer);
      if (found < 0) {
        bench_fail("ring_control: an index that cannot be");
      }
      if (found > 0) {
        return;
      }
    }
    uint64_t now_ns = self->spin_ns == UINT64_MAX ? 0 : bench_now_ns();
    until_ns = until_ns == 0 && now_ns > 0 ? now_ns + self->spin_ns : until_ns;
    if (now_ns > 0 && now_ns >= until_ns) {
      int64_t found = is_room ? seguro_ring_producer_sleep(&self->producer) : seguro_ring_consumer_sleep(&self->consumer);
      if (found != 0) {
        return;
      }
      sleep_until_doorbell(self);
    }
  }
}

static void publish(end *self) {
  if (seguro_ring_publish(&self->producer)) {
    ring_doorbell(self);
  }
}

static void put_all(end *self, const uint8_t *bytes, uint64_t size) {
  while (size > 0) {
    uint64_t part = seguro_ring_put(&self->producer, bytes, size < publish_bytes ? size : publish_bytes);
    bytes += part;
    size -= part;
    if (part == 0) {
      publish(self);
      wait_for(self, 1);
    } else if (self->producer.head - self->producer.published >= publish_bytes) {
      publish(self);
    }
  }
}

static void take_all(end *self, uint8_t *into, uint64_t size) {
  while (size > 0) {
    uint64_t part = seguro_ring_take(&self->consumer, into, size);
    into += part;
    size -= part;
    if (part == 0) {
      wait_for(self, 0);
    } else if (seguro_ring_release(&self->consumer)) {
      ring_doorbell(self);
    }
  }
}

static void run_producer(end *self, uint64_t messages, uint64_t size) {
  uint64_t count = source_bytes / size > 0 ? source_bytes / size : 1;
  uint8_t *source = bench_allocate(count, size);
  bench_fill(source, count * size);
  uint8_t go;
  take_all(self, &go, 1);
  for (uint64_t i = 0; i < messages; i++) {
    put_all(self, source + i % count * size, size);
  }
  publish(self);
  free(source);
}

static void require_lmdb(int rc, const char *step) {
  if (rc != 0) {
    bench_fail("ring_control: %s: %s", step, mdb_strerror(rc));
  }
}

static void run_walker(end *self, uint64_t messages, uint64_t size, const char *folder) {
  MDB_env *env;
  MDB_txn *txn;
  MDB_dbi dbi;
  MDB_cursor *cursor;
  require_lmdb(mdb_env_create(&env), "create");
  require_lmdb(mdb_env_set_mapsize(env, (size_t)1 << 40), "map size");
  require_lmdb(mdb_env_open(env, folder, MDB_RDONLY | MDB_NOTLS, 0600), "open");
  require_lmdb(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
  require_lmdb(mdb_dbi_open(txn, NULL, 0, &dbi), "open the database");
  require_lmdb(mdb_cursor_open(txn, dbi, &cursor), "cursor");
  uint8_t go;
  take_all(self, &go, 1);
  for (uint64_t i = 0; i < messages; i++) {
    MDB_val key, value;
    require_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_NEXT), "next");
    if (value.mv_size != size) {
      bench_fail("ring_control: a value of %zu bytes", value.mv_size);
    }
    put_all(self, value.mv_data, size);
  }
  publish(self);
  mdb_cursor_close(cursor);
  mdb_txn_abort(txn);
  mdb_env_close(env);
}

/* Copies out in large parts and checksums each message on the copy, across parts where it must. */
static uint64_t run_consumer(end *self, uint64_t messages, uint64_t size, uint32_t *sum) {
  uint8_t *copy = bench_allocate(1, take_bytes);
  uint64_t seen = 0, left = size;
  uint32_t crc = 0;
  while (seen < messages) {
    wait_for(self, 0);
    uint64_t got = seguro_ring_take(&self->consumer, copy, take_bytes);
    if (seguro_ring_release(&self->consumer)) {
      ring_doorbell(self);
    }
    for (uint64_t at = 0; at < got;) {
      uint64_t part = left < got - at ? left : got - at;
      crc = seguro_crc32c(crc, copy + at, part);
      at += part;
      left -= part;
      if (left == 0) {
        *sum += crc;
        crc = 0;
        left = size;
        seen++;
      }
    }
  }
  free(copy);
  return seen;
}

static void transfer(end *self, uint64_t messages, uint64_t size) {
  uint32_t sum = 0;
  uint64_t begin_ns = bench_now_ns();
  put_all(self, (const uint8_t *)"", 1);
  publish(self);
  uint64_t seen = run_consumer(self, messages, size, &sum);
  uint64_t took_ns = bench_now_ns() - begin_ns;
  if (seen != messages || sum == 0) {
    bench_fail("ring_control: %llu messages came", (unsigned long long)seen);
  }
  bench_print_transfer(messages, messages * size, took_ns);
}

static void echo(end *self, uint64_t rounds, uint64_t size) {
  uint8_t *message = bench_allocate(1, size);
  for (uint64_t i = 0; i < rounds; i++) {
    take_all(self, message, size);
    put_all(self, message, size);
    publish(self);
  }
  free(message);
}

static void round_trips(end *self, uint64_t rounds, uint64_t size) {
  uint8_t *message = bench_allocate(1, size);
  uint64_t *took_ns = bench_allocate(rounds, sizeof *took_ns);
  bench_fill(message, size);
  uint64_t begin_ns = bench_now_ns();
  for (uint64_t i = 0; i < rounds; i++) {
    uint64_t sent_ns = bench_now_ns();
    put_all(self, message, size);
    publish(self);
    take_all(self, message, size);
    took_ns[i] = bench_now_ns() - sent_ns;
  }
  bench_print_latencies(took_ns, rounds, rounds, bench_now_ns() - begin_ns);
  free(took_ns);
  free(message);
}

/* From memory larger than the processor's caches, as a transfer's producer does. */
static void copy_once(uint64_t messages, uint64_t size) {
  uint64_t count = source_bytes / size > 0 ? source_bytes / size : 1;
  uint64_t places = data_bytes / size > 0 ? data_bytes / size : 1;
  uint8_t *source = bench_allocate(count, size), *into = bench_allocate(places, size);
  bench_fill(source, count * size);
  memset(into, 1, places * size);
  uint64_t begin_ns = bench_now_ns();
  for (uint64_t i = 0; i < messages; i++) {
    uint8_t *place = into + i % places * size;
    memcpy(place, source + i % count * size, size);
    /* Somebody might read it: the compiler may leave no copy out. */
    __asm__ volatile("" : : "r"(place) : "memory");
  }
  bench_print_transfer(messages, messages * size, bench_now_ns() - begin_ns);
  free(into);
  free(source);
}

int main(int argc, char **argv) {
  const char *verb = argc == 4 || argc == 5 ? argv[1] : "";
  int is_walk = argc == 5 && strcmp(verb, "walk") == 0, is_copy = argc == 4 && strcmp(verb, "copy") == 0;
  int is_transfer = is_walk || (argc == 4 && strcmp(verb, "transfer") == 0);
  int is_spin = argc == 5 && strcmp(verb, "spin") == 0, is_sleep = argc == 5 && strcmp(verb, "sleep") == 0;
  if (!is_transfer && !is_copy && !is_spin && !is_sleep) {
    bench_fail("ring_control transfer|spin|sleep|walk|copy COUNT BYTES-PER-MESSAGE [PROCESSOR|DIR]");
  }
  uint64_t count = bench_number(argv[2]), size = bench_number(argv[3]);
  if (is_copy) {
    copy_once(count, size);
    return 0;
  }
  uint64_t total_bytes = seguro_ring_total_bytes(data_bytes, data_bytes);
  void *memory = mmap(NULL, total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  int ends[2];
  seguro_ring_geometry geometry;
  if (memory == MAP_FAILED || !seguro_ring_init(memory, total_bytes, data_bytes, data_bytes, 1, &geometry) ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    bench_fail("ring_control: no memory or no socket: %s", strerror(errno));
  }
  end self = {.spin_ns = is_transfer ? 20000 : is_spin ? UINT64_MAX : 0};
  pid_t child = fork();
  if (child < 0) {
    bench_fail("ring_control: fork: %s", strerror(errno));
  }
  int is_server = child != 0;
  close(ends[is_server ? 1 : 0]);
  begin_end(&self, memory, &geometry, ends[is_server ? 0 : 1], is_server);
  if (!is_transfer) {
    bench_place(atoi(argv[4]), is_server);
  }
  if (is_walk && !is_server) {
    run_walker(&self, count, size, argv[4]);
  } else if (is_transfer) {
    is_server ? transfer(&self, count, size) : run_producer(&self, count, size);
  } else {
    is_server ? round_trips(&self, count, size) : echo(&self, count, size);
  }
  if (is_server) {
    waitpid(child, NULL, 0);
  }
  return 0;
}
