/* What the benchmarks' programs share: the clock, percentiles, arguments, and giving up with a sentence. */
#ifndef SEGURO_BENCH_H
#define SEGURO_BENCH_H

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t bench_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((format(printf, 1, 2), noreturn)) static inline void bench_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

/* A positive number from the command line. */
static inline uint64_t bench_number(const char *text) {
  char *end;
  errno = 0;
  unsigned long long number = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || number == 0) {
    bench_fail("\"%s\" is not a positive number", text);
  }
  return number;
}

static inline void *bench_allocate(size_t count, size_t size) {
  void *bytes = calloc(count, size);
  if (bytes == NULL) {
    bench_fail("no memory");
  }
  return bytes;
}

/* Keeps this process to the processor with that number, or to all others that it may use. On one processor nothing is left to choose. */
static inline void bench_place(int processor, int is_there) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    bench_fail("the processors: %s", strerror(errno));
  }
  if (!CPU_ISSET(processor, &allowed) || CPU_COUNT(&allowed) == 1) {
    return;
  }
  if (is_there) {
    CPU_ZERO(&allowed);
    CPU_SET(processor, &allowed);
  } else {
    CPU_CLR(processor, &allowed);
  }
  if (sched_setaffinity(0, sizeof allowed, &allowed) != 0) {
    bench_fail("processor %d: %s", processor, strerror(errno));
  }
}

/* Payload that differs from word to word, so that nothing on the way can be compressed away. */
static inline void bench_fill(uint8_t *bytes, size_t length_bytes) {
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (size_t i = 0; i < length_bytes; i += sizeof state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    memcpy(bytes + i, &state, length_bytes - i < sizeof state ? length_bytes - i : sizeof state);
  }
}

static inline int bench_by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Prints one line of JSON: latencies in microseconds and the rate over the whole time. Sorts `took_ns`. */
static inline void bench_print_latencies(uint64_t *took_ns, size_t count, uint64_t events, uint64_t total_ns) {
  qsort(took_ns, count, sizeof *took_ns, bench_by_value);
  printf("{\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,\"events_per_s\":%.0f}\n", (double)took_ns[count / 2] / 1e3,
         (double)took_ns[count * 9 / 10] / 1e3, (double)took_ns[count * 99 / 100] / 1e3, (double)events / ((double)total_ns / 1e9));
}

/* Prints one line of JSON: a transfer's size and rates. */
static inline void bench_print_transfer(uint64_t events, uint64_t bytes, uint64_t total_ns) {
  double seconds = (double)total_ns / 1e9;
  printf("{\"events\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"events_per_s\":%.0f,\"bytes_per_s\":%.0f}\n", (unsigned long long)events,
         (unsigned long long)bytes, seconds, (double)events / seconds, (double)bytes / seconds);
}

#endif
