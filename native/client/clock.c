/* Time (monotonic, milliseconds) and the little randomness that keeps reconnecting clients apart. */
#include <time.h>
#include <unistd.h>

#include "internal.h"

int64_t seguro_clock_ms(void) {
  struct timespec now;
  /* Cannot fail: the clock exists on every system this builds on. */
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t seguro_clock_deadline(int64_t now_ms, int64_t timeout_ms) {
  if (timeout_ms < 0 || timeout_ms > SEGURO_NO_DEADLINE - now_ms) {
    return SEGURO_NO_DEADLINE;
  }
  return now_ms + timeout_ms;
}

uint64_t seguro_random_seed(const void *salt) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t seed = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
  seed ^= (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)salt ^ (uint64_t)now.tv_sec;
  return seed == 0 ? 1 : seed;
}

/* xorshift64*: good enough to spread reconnects, no secret depends on it. */
uint64_t seguro_random_next(seguro *handle) {
  uint64_t x = handle->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  handle->random = x;
  return x * 0x2545f4914f6cdd1du;
}
