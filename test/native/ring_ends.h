/* A ring in plain memory with both of its ends in one process, and bytes to send through it: what the ring's tests start from. */
#ifndef SEGURO_TEST_RING_ENDS_H
#define SEGURO_TEST_RING_ENDS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ring/ring.h"

#define SIZE SEGURO_RING_DATA_BYTES_MIN

typedef struct both_ends {
  uint8_t *memory;
  seguro_ring_geometry geometry;
  seguro_ring_producer producer;
  seguro_ring_consumer consumer;
} both_ends;

static inline void make(both_ends *ends) {
  memset(ends, 0, sizeof *ends);
  uint64_t total = seguro_ring_total_bytes(SIZE, SIZE);
  ends->memory = (uint8_t *)aligned_alloc(4096, total);
  CHECK(ends->memory != NULL);
  memset(ends->memory, 0, total);
  CHECK(seguro_ring_init(ends->memory, total, SIZE, SIZE, 9, &ends->geometry));
  seguro_ring_producer_begin(&ends->producer, ends->memory, &ends->geometry, SEGURO_RING_CLIENT_TO_SERVER);
  seguro_ring_consumer_begin(&ends->consumer, ends->memory, &ends->geometry, SEGURO_RING_CLIENT_TO_SERVER);
}

static inline void fill(uint8_t *bytes, size_t length_bytes, uint64_t seed) {
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  for (size_t i = 0; i < length_bytes; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    bytes[i] = (uint8_t)x;
  }
}

#endif
