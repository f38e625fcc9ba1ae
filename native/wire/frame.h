/* The frames of protocol 1: header layout, types and limits (docs/protocol.md, "Version 1"; src/wire/constants.ts holds the same
 * numbers and test/tidy compares them).
 *
 *   0  u32  body bytes, 0 .. SEGURO_FRAME_BODY_MAX
 *   4  u8   type
 *   5  u8   flags, by type
 *   6  u16  must be 0
 *   8  u32  request: the client's number for what it asks; the answer repeats it
 *  12  u32  CRC32C of bytes 0..11
 *  16       body, then zero bytes up to a multiple of 8
 *
 * C11 and C++20, no state, any thread.
 */
#ifndef SEGURO_WIRE_FRAME_H
#define SEGURO_WIRE_FRAME_H

#include "bytes.h"
#include "crc32c.h"

#define SEGURO_FRAME_HEADER_BYTES 16u
#define SEGURO_FRAME_BODY_MAX 1048576u

/* client to server */
#define SEGURO_FRAME_OPEN 1
#define SEGURO_FRAME_BATCH 2
#define SEGURO_FRAME_APPEND 3
#define SEGURO_FRAME_READ 4
#define SEGURO_FRAME_CREDIT 5
#define SEGURO_FRAME_CANCEL 6
#define SEGURO_FRAME_META_GET 7
#define SEGURO_FRAME_META_PUT 8
#define SEGURO_FRAME_META_LIST 9
#define SEGURO_FRAME_EPOCH_PUT 10
#define SEGURO_FRAME_EPOCH_LIST 11
#define SEGURO_FRAME_FILE_PUT 12
#define SEGURO_FRAME_FILE_GET 13
#define SEGURO_FRAME_DIGEST 14
#define SEGURO_FRAME_TRIM 15
#define SEGURO_FRAME_PING 16
#define SEGURO_FRAME_ADMIN 17

/* server to client */
#define SEGURO_FRAME_OPENED 129
#define SEGURO_FRAME_HEIGHT 130
#define SEGURO_FRAME_RECORDS 131
#define SEGURO_FRAME_SENT 132
#define SEGURO_FRAME_LIVE 133
#define SEGURO_FRAME_META_IS 134
#define SEGURO_FRAME_META_LISTED 135
#define SEGURO_FRAME_EPOCHS 136
#define SEGURO_FRAME_FILE_IS 137
#define SEGURO_FRAME_DIGEST_IS 138
#define SEGURO_FRAME_OK 139
#define SEGURO_FRAME_PONG 140
#define SEGURO_FRAME_ADMIN_IS 141
#define SEGURO_FRAME_ERROR 255

/* OPEN */
#define SEGURO_ROLE_WRITE 1
#define SEGURO_ROLE_READ 2
#define SEGURO_ROLE_ADMIN 3
#define SEGURO_KIND_EITHER 0
#define SEGURO_KIND_REAL 1
#define SEGURO_KIND_FAKE 2

/* OPENED */
#define SEGURO_VERDICT_NONE 0
#define SEGURO_VERDICT_SAME 1
#define SEGURO_VERDICT_BEHIND 2
#define SEGURO_VERDICT_AHEAD 3
#define SEGURO_VERDICT_DIVERGED 4

/* READ flags */
#define SEGURO_READ_TAIL 1

/* SENT reasons */
#define SEGURO_SENT_LIMIT 0
#define SEGURO_SENT_END 1
#define SEGURO_SENT_CANCELLED 2

/* ADMIN_IS flags */
#define SEGURO_ADMIN_MORE 1

/* ERROR flags */
#define SEGURO_ERROR_FATAL 1
#define SEGURO_ERROR_RETRY 2

/* META and file scopes: Vere's top-level log folder, or the base of an epoch */
#define SEGURO_SCOPE_TOP 0xffffffffffffffffull

typedef struct seguro_frame_header {
  uint32_t body_bytes;
  uint8_t type;
  uint8_t flags;
  uint32_t request;
} seguro_frame_header;

static inline void seguro_frame_store(void *at, seguro_frame_header header) {
  uint8_t *bytes = (uint8_t *)at;
  seguro_store_u32(bytes, header.body_bytes);
  bytes[4] = header.type;
  bytes[5] = header.flags;
  seguro_store_u16(bytes + 6, 0);
  seguro_store_u32(bytes + 8, header.request);
  seguro_store_u32(bytes + 12, seguro_crc32c(0, bytes, 12));
}

/* Reads a header from SEGURO_FRAME_HEADER_BYTES readable bytes. Returns 0, or -1 when the reserved field, the length or the
 * checksum is wrong; then the stream cannot be followed any further and the session must end. */
static inline int seguro_frame_load(const void *at, seguro_frame_header *header) {
  const uint8_t *bytes = (const uint8_t *)at;
  header->body_bytes = seguro_load_u32(bytes);
  header->type = bytes[4];
  header->flags = bytes[5];
  header->request = seguro_load_u32(bytes + 8);
  if (seguro_load_u16(bytes + 6) != 0 || header->body_bytes > SEGURO_FRAME_BODY_MAX) {
    return -1;
  }
  return seguro_load_u32(bytes + 12) == seguro_crc32c(0, bytes, 12) ? 0 : -1;
}

#endif
