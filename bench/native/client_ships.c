/* Appends for many ships at once, each through a session and a thread of its own.
 *
 *   client_ships stream|ring SOCKET EVENTS BYTES-PER-EVENT single|pipelined SHIP...
 *
 * Events are a ship's. Sessions are opened before the clock starts. Prints one line of JSON: what all ships together have appended, until the
 * last event of the last one is acknowledged.
 */
#include <pthread.h>

#include "client.h"

typedef struct writer {
  seguro *handle;
  uint64_t events, size;
  const uint8_t *payload;
  int is_single;
} writer;

static void *append_events(void *argument) {
  writer *self = argument;
  uint64_t first_id = bench_next_id(self->handle), last_id = first_id + self->events - 1;
  for (uint64_t id = first_id; id <= last_id; id++) {
    bench_expect(self->handle, seguro_append(self->handle, id, self->payload, self->size, SEGURO_FOREVER));
    if (self->is_single) {
      bench_expect(self->handle, seguro_wait(self->handle, id, SEGURO_FOREVER));
    }
  }
  bench_expect(self->handle, seguro_wait(self->handle, last_id, SEGURO_FOREVER));
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 7) {
    bench_fail("client_ships stream|ring SOCKET EVENTS BYTES-PER-EVENT single|pipelined SHIP...");
  }
  uint64_t events = bench_number(argv[3]), size = bench_number(argv[4]);
  size_t ships = (size_t)argc - 6;
  uint8_t *payload = bench_allocate(1, size);
  bench_fill(payload, size);
  writer *writers = bench_allocate(ships, sizeof *writers);
  pthread_t *threads = bench_allocate(ships, sizeof *threads);
  for (size_t i = 0; i < ships; i++) {
    seguro *handle = bench_open(argv[1], argv[2], argv[6 + i], SEGURO_ROLE_WRITE);
    writers[i] = (writer){handle, events, size, payload, strcmp(argv[5], "single") == 0};
  }
  uint64_t begin_ns = bench_now_ns();
  for (size_t i = 0; i < ships; i++) {
    if (pthread_create(&threads[i], NULL, append_events, &writers[i]) != 0) {
      bench_fail("no thread");
    }
  }
  for (size_t i = 0; i < ships; i++) {
    pthread_join(threads[i], NULL);
  }
  bench_print_transfer(events * ships, events * ships * size, bench_now_ns() - begin_ns);
  for (size_t i = 0; i < ships; i++) {
    seguro_close(writers[i].handle);
  }
  free(threads);
  free(writers);
  free(payload);
  return 0;
}
