/* Appends through libseguro: one event at a time, each waited for, or all of them pipelined.
 *
 *   client_append stream|ring SOCKET SHIP EVENTS BYTES-PER-EVENT single | pipelined
 *   client_append stream|ring SOCKET SHIP COMMITS MANIFEST mix
 *
 * With `mix` so many commits as a ship makes them (mix.h), each waited for. Prints one line of JSON: latencies of append and wait (single), and events a second until the last one is acknowledged.
 */
#include "client.h"
#include "mix.h"

static void append_each(seguro *handle, uint64_t first_id, uint64_t events, const uint8_t *payload, uint64_t size) {
  uint64_t *took_ns = bench_allocate(events, sizeof *took_ns);
  uint64_t begin_ns = bench_now_ns();
  for (uint64_t i = 0; i < events; i++) {
    uint64_t start_ns = bench_now_ns();
    bench_expect(handle, seguro_append(handle, first_id + i, payload, size, SEGURO_FOREVER));
    bench_expect(handle, seguro_wait(handle, first_id + i, SEGURO_FOREVER));
    took_ns[i] = bench_now_ns() - start_ns;
  }
  bench_print_latencies(took_ns, events, events, bench_now_ns() - begin_ns);
  free(took_ns);
}

static void append_all(seguro *handle, uint64_t first_id, uint64_t events, const uint8_t *payload, uint64_t size) {
  uint64_t begin_ns = bench_now_ns();
  for (uint64_t i = 0; i < events; i++) {
    bench_expect(handle, seguro_append(handle, first_id + i, payload, size, SEGURO_FOREVER));
  }
  bench_expect(handle, seguro_wait(handle, first_id + events - 1, SEGURO_FOREVER));
  bench_print_transfer(events, events * size, bench_now_ns() - begin_ns);
}

static void append_mix(seguro *handle, uint64_t first_id, uint64_t commits, const char *manifest) {
  bench_mix mix = bench_mix_read(manifest);
  uint8_t *payload = bench_allocate(1, mix.greatest_bytes);
  bench_fill(payload, mix.greatest_bytes);
  uint64_t *took_ns = bench_allocate(commits, sizeof *took_ns);
  uint64_t next_id = first_id, begin_ns = bench_now_ns();
  for (uint64_t i = 0; i < commits; i++) {
    uint64_t start_ns = bench_now_ns();
    for (uint64_t left = bench_mix_events(&mix); left > 0; left--) {
      bench_expect(handle, seguro_append(handle, next_id++, payload, bench_mix_bytes(&mix), SEGURO_FOREVER));
    }
    bench_expect(handle, seguro_wait(handle, next_id - 1, SEGURO_FOREVER));
    took_ns[i] = bench_now_ns() - start_ns;
  }
  bench_print_latencies(took_ns, commits, next_id - first_id, bench_now_ns() - begin_ns);
  free(took_ns);
  free(payload);
  free(mix.sizes_bytes);
}

int main(int argc, char **argv) {
  int is_mix = argc == 7 && strcmp(argv[6], "mix") == 0;
  if (argc != 7 || (!is_mix && strcmp(argv[6], "single") != 0 && strcmp(argv[6], "pipelined") != 0)) {
    bench_fail("client_append stream|ring SOCKET SHIP EVENTS BYTES-PER-EVENT single | pipelined, or ... COMMITS MANIFEST mix");
  }
  uint64_t events = bench_number(argv[4]);
  if (is_mix) {
    seguro *handle = bench_open(argv[1], argv[2], argv[3], SEGURO_ROLE_WRITE);
    append_mix(handle, bench_next_id(handle), events, argv[5]);
    seguro_close(handle);
    return 0;
  }
  uint64_t size = bench_number(argv[5]);
  uint8_t *payload = bench_allocate(1, size);
  bench_fill(payload, size);
  seguro *handle = bench_open(argv[1], argv[2], argv[3], SEGURO_ROLE_WRITE);
  uint64_t first_id = bench_next_id(handle);
  if (strcmp(argv[6], "single") == 0) {
    append_each(handle, first_id, events, payload, size);
  } else {
    append_all(handle, first_id, events, payload, size);
  }
  seguro_close(handle);
  free(payload);
  return 0;
}
