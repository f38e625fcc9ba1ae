/* What the benchmarks' clients share: opening a session of libseguro, or giving up with its error. */
#ifndef SEGURO_BENCH_CLIENT_H
#define SEGURO_BENCH_CLIENT_H

#include "bench.h"
#include "seguro.h"

/* "stream" or "ring" from the command line. */
static inline int bench_transport(const char *name) {
  int is_ring = strcmp(name, "ring") == 0;
  if (!is_ring && strcmp(name, "stream") != 0) {
    bench_fail("\"%s\" is no transport: stream or ring", name);
  }
  return is_ring ? SEGURO_TRANSPORT_RING : SEGURO_TRANSPORT_STREAM;
}

static inline seguro *bench_open(const char *transport, const char *path, const char *ship, int role) {
  seguro_options options;
  memset(&options, 0, sizeof options);
  options.size_bytes = sizeof options;
  options.role = role;
  options.transport = bench_transport(transport);
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
