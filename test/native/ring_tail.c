/* A live reader: `ring_tail SOCKET SHIP LAST` prints the ids it is given, from 1 on, and ends after LAST. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "seguro.h"

#define TIMEOUT_MS 60000

static int fail(const char *what, const seguro_error *error) {
  fprintf(stderr, "ring_tail: %s: %s\n", what, error == NULL ? "" : error->text);
  return 1;
}

int main(int count, char **values) {
  if (count != 4) {
    return 2;
  }
  uint64_t last = strtoull(values[3], NULL, 10);
  seguro_options options = {
      .size_bytes = sizeof options, .role = SEGURO_ROLE_READ, .kind = SEGURO_KIND_FAKE, .transport = SEGURO_TRANSPORT_RING};
  seguro *handle;
  seguro_error error;
  if (seguro_open(&handle, values[1], values[2], &options, &error) != 0) {
    return fail("open", &error);
  }
  seguro_reader *reader;
  if (seguro_reader_open(&reader, handle, 1, 0, SEGURO_READ_TAIL) != 0) {
    return fail("reader", seguro_last_error(handle));
  }
  seguro_event event = {0};
  while (event.id < last) {
    if (seguro_reader_next(reader, &event, TIMEOUT_MS) != 1) {
      return fail("next", seguro_last_error(handle));
    }
    printf("%" PRIu64 "\n", event.id);
    fflush(stdout);
  }
  seguro_reader_close(reader);
  seguro_close(handle);
  return 0;
}
