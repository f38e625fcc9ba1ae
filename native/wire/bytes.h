/* Little-endian integers at any address: every multi-byte field on the wire and in a block is read and written with these. */
#ifndef SEGURO_WIRE_BYTES_H
#define SEGURO_WIRE_BYTES_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Seguro's formats are little-endian and its code assumes a little-endian machine"
#endif

static inline uint16_t seguro_load_u16(const void *at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static inline uint32_t seguro_load_u32(const void *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static inline uint64_t seguro_load_u64(const void *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static inline void seguro_store_u16(void *at, uint16_t value) { memcpy(at, &value, sizeof value); }
static inline void seguro_store_u32(void *at, uint32_t value) { memcpy(at, &value, sizeof value); }
static inline void seguro_store_u64(void *at, uint64_t value) { memcpy(at, &value, sizeof value); }

/* Rounds up to the 8-byte grid of records and frames. The caller has checked that `value` is below 2^63. */
static inline uint64_t seguro_align8(uint64_t value) { return (value + 7u) & ~(uint64_t)7u; }

#endif
