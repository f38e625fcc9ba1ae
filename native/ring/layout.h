/* The layout of the shared-memory ring: every offset, the server's making and the client's checking of it
 * (docs/ring.md).
 *
 * C11 and C++20, no state of its own, no system calls. ring.h has what happens in the memory.
 *
 *    0  u64  magic                               256  direction block: client to server
 *    8  u32  version                            1280  direction block: server to client
 *   12  u32  header bytes                       4096  data areas
 *   16  u64  total bytes
 *   24  u64  generation                     A direction block:
 *   32  u64  offset of the client's data       0  u64  head: bytes ever published   (the producer writes it)
 *   40  u64  its size                        128  u64  tail: bytes ever taken       (the consumer writes it)
 *   48  u64  offset of the server's data     256  u32  the consumer sleeps          (both)
 *   56  u64  its size                        384  u32  the producer sleeps          (both)
 *                                            512  u32  closed                       (the producer)
 */
#ifndef SEGURO_RING_LAYOUT_H
#define SEGURO_RING_LAYOUT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The ring's integers are little-endian and this code assumes a little-endian machine"
#endif

#define SEGURO_RING_MAGIC UINT64_C(0x31474e5247535347) /* "GSSGRNG1" */
#define SEGURO_RING_VERSION 1u
#define SEGURO_RING_HEADER_BYTES 4096u
#define SEGURO_RING_DATA_BYTES_MIN UINT64_C(65536)
#define SEGURO_RING_DATA_BYTES_MAX UINT64_C(67108864)
#define SEGURO_RING_DATA_BYTES_DEFAULT UINT64_C(4194304)
/* OPEN, offset 48: asks for a ring. */
#define SEGURO_RING_OPEN_OPTION UINT64_C(1)

typedef enum seguro_ring_way { SEGURO_RING_CLIENT_TO_SERVER = 0, SEGURO_RING_SERVER_TO_CLIENT = 1 } seguro_ring_way;

/* ---- layout ---- */

typedef struct seguro_ring_direction {
  uint64_t head;
  uint8_t unused_after_head[120];
  uint64_t tail;
  uint8_t unused_after_tail[120];
  uint32_t consumer_sleeps;
  uint8_t unused_after_consumer_sleeps[124];
  uint32_t producer_sleeps;
  uint8_t unused_after_producer_sleeps[124];
  uint32_t closed;
  uint8_t unused_after_closed[508];
} seguro_ring_direction;

typedef struct seguro_ring_header {
  uint64_t magic;
  uint32_t version;
  uint32_t header_bytes;
  uint64_t total_bytes;
  uint64_t generation;
  uint64_t client_data_offset;
  uint64_t client_data_bytes;
  uint64_t server_data_offset;
  uint64_t server_data_bytes;
  uint8_t unused_after_sizes[192];
  seguro_ring_direction directions[2]; /* by seguro_ring_way */
  uint8_t unused_after_directions[1792];
} seguro_ring_header;

#define SEGURO_RING_AT(type, field, offset) static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")
SEGURO_RING_AT(seguro_ring_direction, head, 0);
SEGURO_RING_AT(seguro_ring_direction, tail, 128);
SEGURO_RING_AT(seguro_ring_direction, consumer_sleeps, 256);
SEGURO_RING_AT(seguro_ring_direction, producer_sleeps, 384);
SEGURO_RING_AT(seguro_ring_direction, closed, 512);
static_assert(sizeof(seguro_ring_direction) == 1024, "a direction block has 1024 bytes");
SEGURO_RING_AT(seguro_ring_header, magic, 0);
SEGURO_RING_AT(seguro_ring_header, version, 8);
SEGURO_RING_AT(seguro_ring_header, header_bytes, 12);
SEGURO_RING_AT(seguro_ring_header, total_bytes, 16);
SEGURO_RING_AT(seguro_ring_header, generation, 24);
SEGURO_RING_AT(seguro_ring_header, client_data_offset, 32);
SEGURO_RING_AT(seguro_ring_header, client_data_bytes, 40);
SEGURO_RING_AT(seguro_ring_header, server_data_offset, 48);
SEGURO_RING_AT(seguro_ring_header, server_data_bytes, 56);
SEGURO_RING_AT(seguro_ring_header, directions, 256);
static_assert(sizeof(seguro_ring_header) == SEGURO_RING_HEADER_BYTES, "the header has 4096 bytes");
#undef SEGURO_RING_AT

/* ---- geometry ---- */

/* A private, checked copy of where things lie. */
typedef struct seguro_ring_geometry {
  uint64_t total_bytes;
  uint64_t generation;
  uint64_t data_offset[2]; /* by seguro_ring_way */
  uint64_t data_bytes[2];
} seguro_ring_geometry;

typedef enum seguro_ring_fault {
  SEGURO_RING_FINE = 0,
  SEGURO_RING_FAULT_MAPPING, /* shorter than a header, or not on an address that is a multiple of 4096 */
  SEGURO_RING_FAULT_MAGIC,
  SEGURO_RING_FAULT_VERSION,
  SEGURO_RING_FAULT_HEADER_BYTES,
  SEGURO_RING_FAULT_TOTAL_BYTES,
  SEGURO_RING_FAULT_GENERATION,  /* 0 */
  SEGURO_RING_FAULT_DATA_BYTES,  /* of either direction: no power of two, or outside the limits */
  SEGURO_RING_FAULT_DATA_OFFSET, /* not a multiple of 4096, inside the header, or beyond the mapping */
  SEGURO_RING_FAULT_OVERLAP
} seguro_ring_fault;

/* A size of a data area that is allowed: a power of two within the limits. */
static inline bool seguro_ring_is_data_bytes(uint64_t bytes) {
  return bytes >= SEGURO_RING_DATA_BYTES_MIN && bytes <= SEGURO_RING_DATA_BYTES_MAX && (bytes & (bytes - 1)) == 0;
}

/* The least allowed size that holds `wished` bytes, the greatest one for more; 0 gives the default. */
static inline uint64_t seguro_ring_data_bytes_for(uint64_t wished) {
  if (wished == 0) {
    return SEGURO_RING_DATA_BYTES_DEFAULT;
  }
  uint64_t bytes = SEGURO_RING_DATA_BYTES_MIN;
  while (bytes < wished && bytes < SEGURO_RING_DATA_BYTES_MAX) {
    bytes *= 2;
  }
  return bytes;
}

static inline uint64_t seguro_ring_total_bytes(uint64_t client_data_bytes, uint64_t server_data_bytes) {
  return SEGURO_RING_HEADER_BYTES + client_data_bytes + server_data_bytes;
}

/* The server's half: lays a new ring out in `mapping` (zeroed, writable, page-aligned, `mapping_bytes` long), before
 * anybody else has it, and fills *geometry. The generation is not 0. Returns false, having written nothing, when an
 * argument breaks the layout's rules. */
static inline bool seguro_ring_init(void *mapping, uint64_t mapping_bytes, uint64_t client_data_bytes, uint64_t server_data_bytes,
                                    uint64_t generation, seguro_ring_geometry *geometry) {
  if (!seguro_ring_is_data_bytes(client_data_bytes) || !seguro_ring_is_data_bytes(server_data_bytes) ||
      mapping_bytes != seguro_ring_total_bytes(client_data_bytes, server_data_bytes) || generation == 0 ||
      (uintptr_t)mapping % 4096u != 0) {
    return false;
  }
  geometry->total_bytes = mapping_bytes;
  geometry->generation = generation;
  geometry->data_offset[SEGURO_RING_CLIENT_TO_SERVER] = SEGURO_RING_HEADER_BYTES;
  geometry->data_bytes[SEGURO_RING_CLIENT_TO_SERVER] = client_data_bytes;
  geometry->data_offset[SEGURO_RING_SERVER_TO_CLIENT] = SEGURO_RING_HEADER_BYTES + client_data_bytes;
  geometry->data_bytes[SEGURO_RING_SERVER_TO_CLIENT] = server_data_bytes;
  seguro_ring_header *header = (seguro_ring_header *)mapping;
  memset(header, 0, sizeof *header);
  header->version = SEGURO_RING_VERSION;
  header->header_bytes = SEGURO_RING_HEADER_BYTES;
  header->total_bytes = mapping_bytes;
  header->generation = generation;
  header->client_data_offset = geometry->data_offset[SEGURO_RING_CLIENT_TO_SERVER];
  header->client_data_bytes = client_data_bytes;
  header->server_data_offset = geometry->data_offset[SEGURO_RING_SERVER_TO_CLIENT];
  header->server_data_bytes = server_data_bytes;
  header->magic = SEGURO_RING_MAGIC;
  return true;
}

static inline bool seguro_ring_is_within(uint64_t offset, uint64_t bytes, uint64_t total_bytes) {
  /* Sizes are at most 64 MiB here, so total_bytes - bytes cannot wrap once total_bytes is known to be no less. */
  return offset % 4096u == 0 && offset >= SEGURO_RING_HEADER_BYTES && bytes <= total_bytes && offset <= total_bytes - bytes;
}

/* The other half: loads each field of the header once, checks it against the length that the caller asked the kernel
 * for, and fills *geometry. *geometry is written only when SEGURO_RING_FINE is returned. */
static inline seguro_ring_fault seguro_ring_attach(const void *mapping, uint64_t mapping_bytes, seguro_ring_geometry *geometry) {
  if (mapping_bytes < SEGURO_RING_HEADER_BYTES || (uintptr_t)mapping % 4096u != 0) {
    return SEGURO_RING_FAULT_MAPPING;
  }
  const seguro_ring_header *header = (const seguro_ring_header *)mapping;
  seguro_ring_geometry copy;
  copy.total_bytes = __atomic_load_n(&header->total_bytes, __ATOMIC_RELAXED);
  copy.generation = __atomic_load_n(&header->generation, __ATOMIC_RELAXED);
  copy.data_offset[0] = __atomic_load_n(&header->client_data_offset, __ATOMIC_RELAXED);
  copy.data_bytes[0] = __atomic_load_n(&header->client_data_bytes, __ATOMIC_RELAXED);
  copy.data_offset[1] = __atomic_load_n(&header->server_data_offset, __ATOMIC_RELAXED);
  copy.data_bytes[1] = __atomic_load_n(&header->server_data_bytes, __ATOMIC_RELAXED);
  if (__atomic_load_n(&header->magic, __ATOMIC_RELAXED) != SEGURO_RING_MAGIC) {
    return SEGURO_RING_FAULT_MAGIC;
  }
  if (__atomic_load_n(&header->version, __ATOMIC_RELAXED) != SEGURO_RING_VERSION) {
    return SEGURO_RING_FAULT_VERSION;
  }
  if (__atomic_load_n(&header->header_bytes, __ATOMIC_RELAXED) != SEGURO_RING_HEADER_BYTES) {
    return SEGURO_RING_FAULT_HEADER_BYTES;
  }
  if (copy.total_bytes != mapping_bytes) {
    return SEGURO_RING_FAULT_TOTAL_BYTES;
  }
  if (copy.generation == 0) {
    return SEGURO_RING_FAULT_GENERATION;
  }
  for (int way = 0; way < 2; way++) {
    if (!seguro_ring_is_data_bytes(copy.data_bytes[way])) {
      return SEGURO_RING_FAULT_DATA_BYTES;
    }
    if (!seguro_ring_is_within(copy.data_offset[way], copy.data_bytes[way], copy.total_bytes)) {
      return SEGURO_RING_FAULT_DATA_OFFSET;
    }
  }
  if (copy.data_offset[0] < copy.data_offset[1] + copy.data_bytes[1] && copy.data_offset[1] < copy.data_offset[0] + copy.data_bytes[0]) {
    return SEGURO_RING_FAULT_OVERLAP;
  }
  *geometry = copy;
  return SEGURO_RING_FINE;
}

#endif
