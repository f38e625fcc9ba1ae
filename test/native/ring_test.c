/* The rules of the ring, one by one: geometry, wrap, garbage in the shared words, flags, and the kernel's seals. */
#define _GNU_SOURCE
#include "ring/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "ring_ends.h"

/* A message across every offset of the area, with both ends of the wrap. */
static void test_wrap(void) {
  both_ends ends;
  make(&ends);
  uint8_t sent[37];
  uint8_t got[37];
  for (uint64_t i = 0; i < 2 * SIZE; i++) {
    fill(sent, sizeof sent, i);
    CHECK_EQUAL(seguro_ring_put(&ends.producer, sent, sizeof sent), sizeof sent);
    CHECK_EQUAL(seguro_ring_available(&ends.consumer), 0);
    CHECK(!seguro_ring_publish(&ends.producer));
    CHECK_EQUAL(seguro_ring_available(&ends.consumer), sizeof sent);
    CHECK_EQUAL(seguro_ring_take(&ends.consumer, got, sizeof got), sizeof got);
    CHECK(memcmp(sent, got, sizeof got) == 0);
    CHECK(!seguro_ring_release(&ends.consumer));
    CHECK_EQUAL(seguro_ring_room(&ends.producer), SIZE);
  }
  CHECK(ends.producer.head == 2 * SIZE * sizeof sent);
  free(ends.memory);
}

/* Spans at the end of the area, and a ring that is full to the last byte. */
static void test_full_and_spans(void) {
  both_ends ends;
  make(&ends);
  uint8_t *bytes = malloc(2 * SIZE);
  uint8_t *got = malloc(2 * SIZE);
  fill(bytes, 2 * SIZE, 3);
  CHECK_EQUAL(seguro_ring_put(&ends.producer, bytes, 100), 100);
  seguro_ring_publish(&ends.producer);
  CHECK_EQUAL(seguro_ring_available(&ends.consumer), 100);
  seguro_ring_skip(&ends.consumer, 1000);
  CHECK_EQUAL(seguro_ring_available_known(&ends.consumer), 0);
  seguro_ring_release(&ends.consumer);
  CHECK_EQUAL(seguro_ring_put(&ends.producer, bytes, 2 * SIZE), SIZE - 100);
  CHECK_EQUAL(seguro_ring_room(&ends.producer), 100);
  CHECK_EQUAL(seguro_ring_put(&ends.producer, bytes + SIZE - 100, 2 * SIZE), 100);
  CHECK_EQUAL(seguro_ring_put(&ends.producer, bytes, 1), 0);
  CHECK_EQUAL(seguro_ring_room(&ends.producer), 0);
  seguro_ring_publish(&ends.producer);
  CHECK_EQUAL(seguro_ring_available(&ends.consumer), SIZE);
  seguro_ring_span spans[2];
  CHECK_EQUAL(seguro_ring_spans(&ends.consumer, 50, spans), 50);
  CHECK(spans[0].length_bytes == 50 && spans[1].length_bytes == 0 && spans[0].bytes == ends.consumer.data + 100);
  CHECK_EQUAL(seguro_ring_spans(&ends.consumer, UINT64_MAX, spans), SIZE);
  CHECK(spans[0].length_bytes == SIZE - 100 && spans[1].length_bytes == 100 && spans[1].bytes == ends.consumer.data);
  CHECK_EQUAL(seguro_ring_take(&ends.consumer, got, 2 * SIZE), SIZE);
  CHECK(memcmp(got, bytes, SIZE) == 0);
  CHECK_EQUAL(seguro_ring_take(&ends.consumer, got, 1), 0);
  free(bytes);
  free(got);
  free(ends.memory);
}

/* What an attacker may write into the header: each field at every interesting value, alone. */
static void test_geometry(void) {
  both_ends ends;
  make(&ends);
  uint64_t total = ends.geometry.total_bytes;
  static const struct {
    unsigned offset, bytes;
  } fields[] = {{0, 8}, {8, 4}, {12, 4}, {16, 8}, {24, 8}, {32, 8}, {40, 8}, {48, 8}, {56, 8}};
  const uint64_t values[] = {0,
                             1,
                             2,
                             4095,
                             4096,
                             4097,
                             SIZE - 1,
                             SIZE,
                             SIZE + 1,
                             SIZE + 4096,
                             total,
                             total - 1,
                             total + 1,
                             2 * SIZE,
                             SIZE * 2048,
                             UINT32_MAX,
                             INT64_MAX,
                             UINT64_MAX,
                             UINT64_MAX - 4095,
                             UINT64_MAX - SIZE + 1,
                             (uint64_t)1 << 63};
  seguro_ring_geometry geometry;
  CHECK_EQUAL(seguro_ring_attach(ends.memory, total, &geometry), SEGURO_RING_FINE);
  CHECK(memcmp(&geometry, &ends.geometry, sizeof geometry) == 0);
  unsigned refused = 0;
  for (unsigned f = 0; f < sizeof fields / sizeof fields[0]; f++) {
    uint8_t good[8];
    memcpy(good, ends.memory + fields[f].offset, 8);
    for (unsigned v = 0; v < sizeof values / sizeof values[0]; v++) {
      memcpy(ends.memory + fields[f].offset, &values[v], fields[f].bytes);
      bool is_same = memcmp(good, ends.memory + fields[f].offset, 8) == 0;
      bool is_generation = fields[f].offset == 24 && values[v] != 0;
      memset(&geometry, 0xee, sizeof geometry);
      bool is_taken = seguro_ring_attach(ends.memory, total, &geometry) == SEGURO_RING_FINE;
      CHECK(is_taken == (is_same || is_generation));
      CHECK(is_taken || geometry.total_bytes == 0xeeeeeeeeeeeeeeeeu);
      refused += !is_taken;
      memcpy(ends.memory + fields[f].offset, good, 8);
    }
  }
  CHECK(refused > 150);
  CHECK_EQUAL(seguro_ring_attach(ends.memory, 0, &geometry), SEGURO_RING_FAULT_MAPPING);
  CHECK_EQUAL(seguro_ring_attach(ends.memory, 4095, &geometry), SEGURO_RING_FAULT_MAPPING);
  CHECK_EQUAL(seguro_ring_attach(ends.memory, total - 1, &geometry), SEGURO_RING_FAULT_TOTAL_BYTES);
  seguro_ring_header *header = (seguro_ring_header *)ends.memory;
  header->server_data_offset = header->client_data_offset;
  CHECK_EQUAL(seguro_ring_attach(ends.memory, total, &geometry), SEGURO_RING_FAULT_OVERLAP);
  header->server_data_offset += 4096;
  CHECK_EQUAL(seguro_ring_attach(ends.memory, total, &geometry), SEGURO_RING_FAULT_OVERLAP);
  /* The other order of the areas is as good. */
  header->server_data_offset = SEGURO_RING_HEADER_BYTES;
  header->client_data_offset = SEGURO_RING_HEADER_BYTES + SIZE;
  CHECK_EQUAL(seguro_ring_attach(ends.memory, total, &geometry), SEGURO_RING_FINE);
  CHECK(!seguro_ring_init(ends.memory, total, SIZE, SIZE + 1, 1, &geometry));
  CHECK(!seguro_ring_init(ends.memory, total + 1, SIZE, SIZE, 1, &geometry));
  CHECK(!seguro_ring_init(ends.memory, total, SIZE, SIZE, 0, &geometry));
  CHECK_EQUAL(seguro_ring_data_bytes_for(0), SEGURO_RING_DATA_BYTES_DEFAULT);
  CHECK_EQUAL(seguro_ring_data_bytes_for(1), SIZE);
  CHECK_EQUAL(seguro_ring_data_bytes_for(SIZE + 1), 2 * SIZE);
  CHECK_EQUAL(seguro_ring_data_bytes_for(UINT64_MAX), SEGURO_RING_DATA_BYTES_MAX);
  free(ends.memory);
}

/* Memory with a page to spare: areas may lie apart, but only on multiples of 4096. */
static void test_spare_room(void) {
  uint64_t total = seguro_ring_total_bytes(SIZE, SIZE) + 4096;
  uint8_t *memory = aligned_alloc(4096, total);
  CHECK(memory != NULL);
  seguro_ring_geometry geometry;
  CHECK(seguro_ring_init(memory, total - 4096, SIZE, SIZE, 1, &geometry));
  seguro_ring_header *header = (seguro_ring_header *)memory;
  header->total_bytes = total;
  CHECK_EQUAL(seguro_ring_attach(memory, total, &geometry), SEGURO_RING_FINE);
  header->server_data_offset += 4096;
  CHECK_EQUAL(seguro_ring_attach(memory, total, &geometry), SEGURO_RING_FINE);
  header->server_data_offset -= 8;
  CHECK_EQUAL(seguro_ring_attach(memory, total, &geometry), SEGURO_RING_FAULT_DATA_OFFSET);
  header->server_data_offset += 8 + 4096;
  CHECK_EQUAL(seguro_ring_attach(memory, total, &geometry), SEGURO_RING_FAULT_DATA_OFFSET);
  free(memory);
}

/* Indices that cannot be: refused, and what was known before stays. */
static void test_indices(void) {
  both_ends ends;
  make(&ends);
  uint8_t bytes[1000];
  fill(bytes, sizeof bytes, 1);
  seguro_ring_put(&ends.producer, bytes, 1000);
  seguro_ring_publish(&ends.producer);
  CHECK_EQUAL(seguro_ring_available(&ends.consumer), 1000);
  seguro_ring_take(&ends.consumer, bytes, 400);
  seguro_ring_release(&ends.consumer);
  CHECK_EQUAL(seguro_ring_room(&ends.producer), SIZE - 600);
  seguro_ring_direction *shared = ends.consumer.shared;
  const uint64_t bad_heads[] = {0, 399, 400, 999, 400 + SIZE + 1, UINT64_MAX, (uint64_t)1 << 63, 1000 - SIZE};
  for (unsigned i = 0; i < sizeof bad_heads / sizeof bad_heads[0]; i++) {
    __atomic_store_n(&shared->head, bad_heads[i], __ATOMIC_RELEASE);
    CHECK_EQUAL(seguro_ring_available(&ends.consumer), SEGURO_RING_BAD);
    CHECK_EQUAL(seguro_ring_consumer_sleep(&ends.consumer), SEGURO_RING_BAD);
    CHECK_EQUAL(seguro_ring_available_known(&ends.consumer), 600);
  }
  __atomic_store_n(&shared->head, 400 + SIZE, __ATOMIC_RELEASE);
  CHECK_EQUAL(seguro_ring_available(&ends.consumer), SIZE);
  const uint64_t bad_tails[] = {0, 399, 1001, SIZE, UINT64_MAX, 400 - SIZE, (uint64_t)1 << 63};
  for (unsigned i = 0; i < sizeof bad_tails / sizeof bad_tails[0]; i++) {
    __atomic_store_n(&shared->tail, bad_tails[i], __ATOMIC_RELEASE);
    CHECK_EQUAL(seguro_ring_room(&ends.producer), SEGURO_RING_BAD);
    CHECK_EQUAL(seguro_ring_producer_sleep(&ends.producer), SEGURO_RING_BAD);
    CHECK_EQUAL(seguro_ring_room_known(&ends.producer), SIZE - 600);
  }
  __atomic_store_n(&shared->tail, 1000, __ATOMIC_RELEASE);
  CHECK_EQUAL(seguro_ring_room(&ends.producer), SIZE);
  free(ends.memory);
}

/* The flags: who asks is woken once, also when the flags hold nonsense. */
static void test_flags(void) {
  both_ends ends;
  make(&ends);
  uint8_t byte = 1;
  CHECK_EQUAL(seguro_ring_consumer_sleep(&ends.consumer), 0);
  CHECK(!seguro_ring_publish(&ends.producer)); /* nothing was put */
  seguro_ring_put(&ends.producer, &byte, 1);
  CHECK(seguro_ring_publish(&ends.producer));
  seguro_ring_put(&ends.producer, &byte, 1);
  CHECK(!seguro_ring_publish(&ends.producer));
  CHECK_EQUAL(seguro_ring_consumer_sleep(&ends.consumer), 2);
  seguro_ring_put(&ends.producer, &byte, 1);
  CHECK(!seguro_ring_publish(&ends.producer));
  CHECK_EQUAL(seguro_ring_producer_sleep(&ends.producer), SIZE - 3);
  CHECK(ends.producer.shared->producer_sleeps == 0 && ends.producer.shared->consumer_sleeps == 0);
  ends.producer.shared->consumer_sleeps = 77;
  seguro_ring_put(&ends.producer, &byte, 1);
  CHECK(!seguro_ring_publish(&ends.producer));
  CHECK(!seguro_ring_is_closed(&ends.consumer));
  seguro_ring_close(&ends.producer);
  CHECK(seguro_ring_is_closed(&ends.consumer));
  CHECK_EQUAL(seguro_ring_available(&ends.consumer), 4);
  free(ends.memory);
}

/* The kernel holds what the seals promise: nobody with the descriptor can pull the pages away. */
static void test_seals(void) {
  int fd = memfd_create("seguro-test-seals", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(fd >= 0);
  off_t bytes = (off_t)seguro_ring_total_bytes(SIZE, SIZE);
  CHECK(posix_fallocate(fd, 0, bytes) == 0);
  CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
  uint8_t *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(memory != MAP_FAILED);
  CHECK(ftruncate(fd, 0) == -1 && errno == EPERM);
  CHECK(ftruncate(fd, bytes - 1) == -1 && errno == EPERM);
  CHECK(ftruncate(fd, bytes + 1) == -1 && errno == EPERM);
  CHECK(posix_fallocate(fd, 0, bytes + 4096) == EPERM);
  CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EPERM);
  /* Holes can be punched, and read as zeros: no signal. */
  memory[8192] = 1;
  CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes) == 0);
  CHECK_EQUAL(memory[8192], 0);
  seguro_ring_geometry geometry;
  CHECK_EQUAL(seguro_ring_attach(memory, (uint64_t)bytes, &geometry), SEGURO_RING_FAULT_MAGIC);
  munmap(memory, (size_t)bytes);
  close(fd);
}

int main(void) {
  RUN(test_wrap);
  RUN(test_full_and_spans);
  RUN(test_geometry);
  RUN(test_spare_room);
  RUN(test_indices);
  RUN(test_flags);
  RUN(test_seals);
  return 0;
}
