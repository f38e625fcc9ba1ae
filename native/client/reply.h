/* The sidecar's bytes, parsed: pure functions over a buffer, which trust nothing in it (reply.c, greeting.c;
 * test/native and fuzzers call them without a session). Results point into the buffer. */
#ifndef SEGURO_CLIENT_REPLY_H
#define SEGURO_CLIENT_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "seguro.h"
#include "wire/frame.h"
#include "wire/record.h"

#define SEGURO_DIGEST_SIZE 32u
#define SEGURO_TEXT_BLOCK_MAX 128u

/* A text that lies in the frame, not terminated. */
typedef struct seguro_span {
  const uint8_t *bytes;
  size_t length_bytes;
} seguro_span;

typedef struct seguro_reply_opened {
  uint32_t log;
  uint8_t verdict;
  uint8_t kind;
  uint64_t base;
  uint64_t height;
  uint64_t digest_id;
  const uint8_t *digest;
  uint64_t epoch;
  uint64_t event_bytes_max;
  uint64_t batch_bytes_max;
  uint64_t verdict_id;
  uint64_t ring_bytes; /* of the shared memory that came with the frame, 0 for none */
} seguro_reply_opened;

typedef struct seguro_reply_error {
  uint32_t code;
  uint32_t flags;
  uint64_t id;
  seguro_span name;
  seguro_span text;
  seguro_span hint;
} seguro_reply_error;

/* One whole frame but RECORDS, whose body is streamed. Which member counts says `type`. */
typedef struct seguro_reply {
  uint8_t type;
  uint32_t request;
  union {
    seguro_reply_opened opened;
    seguro_reply_error error;
    struct {
      uint64_t height;
      uint64_t digest_id;
      const uint8_t *digest;
    } height;
    struct {
      uint64_t count;
      uint64_t next_id;
      uint32_t reason;
    } sent;
    struct {
      uint64_t height;
    } live;
    struct {
      bool is_present;
      seguro_span value;
    } meta;
    struct {
      uint64_t total_bytes;
      seguro_span data;
    } file;
    struct {
      uint64_t id;
      const uint8_t *digest;
    } digest;
    seguro_span body; /* META_LISTED, EPOCHS (checked entry by entry), PONG, OK */
  } as;
} seguro_reply;

typedef struct seguro_epoch_entry {
  uint64_t base;
  uint64_t file_bytes;
  uint32_t file_crc32c;
  seguro_span name;
} seguro_epoch_entry;

/* Parses a frame whose header was loaded and whose body_bytes body lies at `body`. False when any length, reserved
 * field or value breaks the protocol, or the type is none that a session without administration receives. */
bool seguro_reply_parse(const seguro_frame_header *header, const uint8_t *body, seguro_reply *reply);

/* Step through a checked META_LISTED or EPOCHS body. 1: an entry, 0: the end, -1: malformed. `at` starts at 0. */
int seguro_meta_entry_next(seguro_span body, size_t *at, seguro_span *key, seguro_span *value);
int seguro_epoch_entry_next(seguro_span body, size_t *at, seguro_epoch_entry *entry);

#define SEGURO_SCAN_PARTIAL 0
#define SEGURO_SCAN_WHOLE 1
#define SEGURO_SCAN_MALFORMED (-1)
#define SEGURO_SCAN_CHECKSUM (-2)

/* Looks at the record that begins at `bytes`, of which `length_bytes` have come. *whole_bytes is what the record takes,
 * as far as is known. The checksum is computed only when the record is whole. */
int seguro_record_scan(const uint8_t *bytes, uint64_t length_bytes, uint64_t event_bytes_max, seguro_event *event, uint64_t *whole_bytes);

typedef enum seguro_greeting { SEGURO_GREETING_OFFER, SEGURO_GREETING_IDENTIFY, SEGURO_GREETING_WELCOME } seguro_greeting;

/* Parses the text block expected in the handshake. Returns 0 when its NUL has not come yet, 1 and *block_bytes (NUL
 * included), or SEGURO_ERR_VERSION / SEGURO_ERR_PROTOCOL. */
int seguro_greeting_parse(const uint8_t *bytes, size_t length_bytes, seguro_greeting expected, const char *ship, size_t *block_bytes);

#endif
