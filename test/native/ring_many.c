/* Many writers of one process, each over a ring of its own: `ring_many SOCKET RING_BYTES`, names of ships on stdin, one a line.
 *
 * Each writes events 1 to 3, then 4 to 7 as an atomic batch, and waits for their acknowledgement. After an empty line it
 * prints how many sessions are open over a ring, and holds them, idle, until stdin ends. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seguro.h"

#define SESSIONS_MAX 4096
#define EVENT_BYTES 200
#define SINGLES 3
#define BATCH 4
#define TIMEOUT_MS 60000

static int fail(const char *what, const char *ship, const seguro_error *error) {
  fprintf(stderr, "ring_many: %s, %s: %s\n", ship, what, error == NULL ? "" : error->text);
  return 1;
}

static int write_events(seguro *handle, const char *ship) {
  static uint8_t payload[EVENT_BYTES];
  memset(payload, ship[1], sizeof payload);
  for (uint64_t id = 1; id <= SINGLES; id++) {
    if (seguro_append(handle, id, payload, sizeof payload, TIMEOUT_MS) != 0) {
      return fail("append", ship, seguro_last_error(handle));
    }
  }
  const void *parts[BATCH] = {payload, payload, payload, payload};
  const uint64_t lengths[BATCH] = {EVENT_BYTES, 0, 1, EVENT_BYTES};
  if (seguro_append_atomic(handle, SINGLES + 1, BATCH, parts, lengths, TIMEOUT_MS) != 0 ||
      seguro_wait(handle, SINGLES + BATCH, TIMEOUT_MS) != 0) {
    return fail("batch", ship, seguro_last_error(handle));
  }
  return 0;
}

int main(int count, char **values) {
  if (count != 3) {
    return 2;
  }
  static seguro *handles[SESSIONS_MAX];
  unsigned open = 0;
  unsigned rings = 0;
  char line[64];
  while (open < SESSIONS_MAX && fgets(line, sizeof line, stdin) != NULL && line[0] != '\n') {
    line[strcspn(line, "\n")] = 0;
    seguro_options options = {
        .size_bytes = sizeof options, .role = SEGURO_ROLE_WRITE, .kind = SEGURO_KIND_FAKE, .ring_bytes = strtoull(values[2], NULL, 10)};
    seguro_error error;
    if (seguro_open(&handles[open], values[1], line, &options, &error) != 0) {
      return fail("open", line, &error);
    }
    if (write_events(handles[open], line) != 0) {
      return 1;
    }
    rings += strcmp(seguro_transport_name(handles[open]), "ring") == 0;
    open++;
  }
  printf("%u of %u\n", rings, open);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
  }
  for (unsigned i = 0; i < open; i++) {
    seguro_close(handles[i]);
  }
  return 0;
}
