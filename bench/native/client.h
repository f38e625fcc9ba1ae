/* What the benchmarks' clients share: opening a session of libseguro, or giving up with its error. */
#ifndef SEGURO_BENCH_CLIENT_H
#define SEGURO_BENCH_CLIENT_H

#include "bench.h"
#include "seguro.h"

static inline seguro *bench_open(const char *path, const char *ship, int role) {
  seguro_options options;
  memset(&options, 0, sizeof options);
  options.size_bytes = sizeof options;
  options.role = role;
  options.reconnect_timeout_ms = SEGURO_NEVER;
  seguro *handle;
  seguro_error error;
  if (seguro_open(&handle, path, ship, &options, &error) != 0) {
    bench_fail("%s: %s: %s", ship, seguro_strerror(error.code), error.text);
  }
  return handle;
}

/* Takes the answer of a call on the handle; a negative one ends the program. */
static inline int bench_expect(const seguro *handle, int code) {
  if (code < 0) {
    bench_fail("%s: %s", seguro_strerror(code), seguro_last_error(handle)->text);
  }
  return code;
}

/* The id that the next append must have. */
static inline uint64_t bench_next_id(const seguro *handle) {
  uint64_t id = seguro_next_id(handle);
  return id == 0 ? 1 : id;
}

#endif
