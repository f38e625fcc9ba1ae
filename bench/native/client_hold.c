/* Opens a write session for each ship, appends a little to each, and holds them open until its standard input ends.
 *
 *   client_hold stream|ring SOCKET EVENTS BYTES-PER-EVENT SHIP...
 *
 * Prints one line of JSON, the number of sessions, when all is durable.
 */
#include <unistd.h>

#include "client.h"

static seguro *open_and_append(char **to, const char *ship, uint64_t events, const uint8_t *payload, uint64_t size) {
  seguro *handle = bench_open(to[0], to[1], ship, SEGURO_ROLE_WRITE);
  uint64_t first_id = bench_next_id(handle);
  for (uint64_t i = 0; i < events; i++) {
    bench_expect(handle, seguro_append(handle, first_id + i, payload, size, SEGURO_FOREVER));
  }
  bench_expect(handle, seguro_wait(handle, first_id + events - 1, SEGURO_FOREVER));
  return handle;
}

int main(int argc, char **argv) {
  if (argc < 6) {
    bench_fail("client_hold stream|ring SOCKET EVENTS BYTES-PER-EVENT SHIP...");
  }
  uint64_t events = bench_number(argv[3]), size = bench_number(argv[4]);
  size_t ships = (size_t)argc - 5;
  seguro **handles = bench_allocate(ships, sizeof *handles);
  uint8_t *payload = bench_allocate(1, size);
  bench_fill(payload, size);
  for (size_t i = 0; i < ships; i++) {
    handles[i] = open_and_append(argv + 1, argv[5 + i], events, payload, size);
  }
  printf("{\"sessions\":%zu}\n", ships);
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  for (size_t i = 0; i < ships; i++) {
    seguro_close(handles[i]);
  }
  free(handles);
  free(payload);
  return 0;
}
