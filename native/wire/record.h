/* One event as a record: the frame it keeps on the socket, on the ring, in a block and in the store (docs/protocol.md, "Record").
 *
 *   0  u64  length   payload bytes, 0 .. SEGURO_EVENT_BYTES_MAX
 *   8  u64  id       event number, 1 .. 2^63 - 1
 *  16  u32  flags    must be 0
 *  20  u32  crc      CRC32C of bytes 0..19 and the payload
 *  24       payload, then zero bytes up to a multiple of 8
 *
 * C11 and C++20, no state, any thread.
 */
#ifndef SEGURO_WIRE_RECORD_H
#define SEGURO_WIRE_RECORD_H

#include "bytes.h"
#include "crc32c.h"

#define SEGURO_RECORD_HEADER_BYTES 24u
#define SEGURO_RECORD_CHECKED_BYTES 20u
/* What a ship can produce: Vere counts an event's bytes in 32 bits. */
#define SEGURO_EVENT_BYTES_MAX 0xffffffffull
#define SEGURO_EVENT_ID_MAX 0x7fffffffffffffffull

typedef struct seguro_record_header {
  uint64_t length_bytes;
  uint64_t id;
  uint32_t flags;
  uint32_t crc;
} seguro_record_header;

/* Copies the header out of `at` (SEGURO_RECORD_HEADER_BYTES readable bytes); checks nothing. */
static inline seguro_record_header seguro_record_load(const void *at) {
  const uint8_t *bytes = (const uint8_t *)at;
  seguro_record_header header;
  header.length_bytes = seguro_load_u64(bytes);
  header.id = seguro_load_u64(bytes + 8);
  header.flags = seguro_load_u32(bytes + 16);
  header.crc = seguro_load_u32(bytes + 20);
  return header;
}

/* Bytes of the whole record. Only for lengths up to SEGURO_EVENT_BYTES_MAX. */
static inline uint64_t seguro_record_bytes(uint64_t length_bytes) { return seguro_align8(SEGURO_RECORD_HEADER_BYTES + length_bytes); }

/* Writes the first 20 bytes of a header and returns their CRC32C, to be extended over the payload and stored at offset 20. */
static inline uint32_t seguro_record_begin(void *at, uint64_t id, uint64_t length_bytes) {
  uint8_t *bytes = (uint8_t *)at;
  seguro_store_u64(bytes, length_bytes);
  seguro_store_u64(bytes + 8, id);
  seguro_store_u32(bytes + 16, 0);
  return seguro_crc32c(0, bytes, SEGURO_RECORD_CHECKED_BYTES);
}

/* Writes a whole header for a payload that lies in one piece. `at` has SEGURO_RECORD_HEADER_BYTES writable bytes. */
static inline void seguro_record_header_write(void *at, uint64_t id, const void *payload, uint64_t length_bytes) {
  uint32_t crc = seguro_record_begin(at, id, length_bytes);
  seguro_store_u32((uint8_t *)at + 20, seguro_crc32c(crc, payload, (size_t)length_bytes));
}

#endif
