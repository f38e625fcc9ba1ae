/* Parser of the frames a sidecar sends: pure, checks every length before it reads (docs/protocol.md). */
#include "reply.h"

#define OPENED_BYTES 112u
#define HEIGHT_BYTES 48u
#define SENT_BYTES 24u
#define LIVE_BYTES 8u
#define META_IS_BYTES 8u
#define FILE_IS_BYTES 16u
#define DIGEST_IS_BYTES 40u
#define ERROR_BYTES 24u
#define PONG_BYTES_MAX 64u
#define META_ENTRY_BYTES 8u
#define META_KEY_BYTES_MAX 255u
#define META_VALUE_BYTES_MAX 65536u
#define EPOCH_ENTRY_BYTES 24u
#define FILE_NAME_BYTES_MAX 255u

static bool parse_opened(const uint8_t *body, uint32_t bytes, seguro_reply_opened *opened) {
  if (bytes != OPENED_BYTES || seguro_load_u16(body + 6) != 0) {
    return false;
  }
  opened->log = seguro_load_u32(body);
  opened->verdict = body[4];
  opened->kind = body[5];
  opened->base = seguro_load_u64(body + 8);
  opened->height = seguro_load_u64(body + 16);
  opened->digest_id = seguro_load_u64(body + 24);
  opened->digest = body + 32;
  opened->epoch = seguro_load_u64(body + 64);
  opened->event_bytes_max = seguro_load_u64(body + 72);
  opened->batch_bytes_max = seguro_load_u64(body + 80);
  opened->verdict_id = seguro_load_u64(body + 96);
  opened->ring_bytes = seguro_load_u64(body + 104);
  if (opened->verdict > SEGURO_VERDICT_DIVERGED || (opened->kind != SEGURO_KIND_REAL && opened->kind != SEGURO_KIND_FAKE)) {
    return false;
  }
  if (opened->height > SEGURO_EVENT_ID_MAX || opened->base > opened->height || opened->digest_id > opened->height ||
      (opened->base == 0) != (opened->height == 0)) {
    return false;
  }
  return true;
}

static bool parse_error(const uint8_t *body, uint32_t bytes, seguro_reply_error *error) {
  if (bytes < ERROR_BYTES) {
    return false;
  }
  error->code = seguro_load_u32(body);
  error->flags = seguro_load_u32(body + 4);
  error->id = seguro_load_u64(body + 8);
  error->name = (seguro_span){body + ERROR_BYTES, seguro_load_u16(body + 16)};
  error->text = (seguro_span){error->name.bytes + error->name.length_bytes, seguro_load_u16(body + 18)};
  error->hint = (seguro_span){error->text.bytes + error->text.length_bytes, seguro_load_u16(body + 20)};
  if (seguro_load_u16(body + 22) != 0 || error->code == 0) {
    return false;
  }
  return bytes == ERROR_BYTES + error->name.length_bytes + error->text.length_bytes + error->hint.length_bytes;
}

int seguro_meta_entry_next(seguro_span body, size_t *at, seguro_span *key, seguro_span *value) {
  size_t left = body.length_bytes - *at;
  if (left == 0) {
    return 0;
  }
  if (left < META_ENTRY_BYTES) {
    return -1;
  }
  const uint8_t *entry = body.bytes + *at;
  uint32_t key_bytes = seguro_load_u32(entry);
  uint32_t value_bytes = seguro_load_u32(entry + 4);
  if (key_bytes == 0 || key_bytes > META_KEY_BYTES_MAX || value_bytes > META_VALUE_BYTES_MAX ||
      left - META_ENTRY_BYTES < key_bytes + value_bytes) {
    return -1;
  }
  *key = (seguro_span){entry + META_ENTRY_BYTES, key_bytes};
  *value = (seguro_span){key->bytes + key_bytes, value_bytes};
  *at += META_ENTRY_BYTES + key_bytes + value_bytes;
  return 1;
}

int seguro_epoch_entry_next(seguro_span body, size_t *at, seguro_epoch_entry *entry) {
  size_t left = body.length_bytes - *at;
  if (left == 0) {
    return 0;
  }
  if (left < EPOCH_ENTRY_BYTES) {
    return -1;
  }
  const uint8_t *bytes = body.bytes + *at;
  entry->base = seguro_load_u64(bytes);
  entry->file_bytes = seguro_load_u64(bytes + 8);
  entry->file_crc32c = seguro_load_u32(bytes + 16);
  uint32_t name_bytes = seguro_load_u32(bytes + 20);
  if (name_bytes > FILE_NAME_BYTES_MAX || left - EPOCH_ENTRY_BYTES < name_bytes) {
    return -1;
  }
  entry->name = (seguro_span){bytes + EPOCH_ENTRY_BYTES, name_bytes};
  *at += EPOCH_ENTRY_BYTES + name_bytes;
  return 1;
}

static bool check_entries(uint8_t type, seguro_span body) {
  size_t at = 0;
  int step = 1;
  while (step == 1) {
    seguro_span key, value;
    seguro_epoch_entry epoch;
    step = type == SEGURO_FRAME_META_LISTED ? seguro_meta_entry_next(body, &at, &key, &value) : seguro_epoch_entry_next(body, &at, &epoch);
  }
  return step == 0;
}

static bool parse_meta(const uint8_t *body, uint32_t bytes, seguro_reply *reply) {
  if (bytes < META_IS_BYTES) {
    return false;
  }
  uint32_t present = seguro_load_u32(body);
  uint32_t value_bytes = seguro_load_u32(body + 4);
  reply->as.meta.is_present = present == 1;
  reply->as.meta.value = (seguro_span){body + META_IS_BYTES, value_bytes};
  return present <= 1 && value_bytes <= META_VALUE_BYTES_MAX && bytes == META_IS_BYTES + value_bytes && (present == 1 || value_bytes == 0);
}

static bool parse_file(const uint8_t *body, uint32_t bytes, seguro_reply *reply) {
  if (bytes < FILE_IS_BYTES) {
    return false;
  }
  uint32_t data_bytes = seguro_load_u32(body + 8);
  reply->as.file.total_bytes = seguro_load_u64(body);
  reply->as.file.data = (seguro_span){body + FILE_IS_BYTES, data_bytes};
  return seguro_load_u32(body + 12) == 0 && data_bytes <= reply->as.file.total_bytes && bytes - FILE_IS_BYTES == data_bytes;
}

static bool parse_height(const uint8_t *body, uint32_t bytes, seguro_reply *reply) {
  if (bytes != HEIGHT_BYTES) {
    return false;
  }
  reply->as.height.height = seguro_load_u64(body);
  reply->as.height.digest_id = seguro_load_u64(body + 8);
  reply->as.height.digest = body + 16;
  return reply->as.height.height <= SEGURO_EVENT_ID_MAX && reply->as.height.digest_id <= reply->as.height.height;
}

static bool parse_sent(const uint8_t *body, uint32_t bytes, seguro_reply *reply) {
  if (bytes != SENT_BYTES) {
    return false;
  }
  reply->as.sent.count = seguro_load_u64(body);
  reply->as.sent.next_id = seguro_load_u64(body + 8);
  reply->as.sent.reason = seguro_load_u32(body + 16);
  return reply->as.sent.reason <= SEGURO_SENT_CANCELLED && seguro_load_u32(body + 20) == 0;
}

bool seguro_reply_parse(const seguro_frame_header *header, const uint8_t *body, seguro_reply *reply) {
  uint32_t bytes = header->body_bytes;
  reply->type = header->type;
  reply->request = header->request;
  if (header->flags != 0) {
    return false;
  }
  switch (header->type) {
    case SEGURO_FRAME_OPENED:
      return parse_opened(body, bytes, &reply->as.opened);
    case SEGURO_FRAME_ERROR:
      return parse_error(body, bytes, &reply->as.error);
    case SEGURO_FRAME_HEIGHT:
      return parse_height(body, bytes, reply);
    case SEGURO_FRAME_SENT:
      return parse_sent(body, bytes, reply);
    case SEGURO_FRAME_LIVE:
      reply->as.live.height = bytes == LIVE_BYTES ? seguro_load_u64(body) : 0;
      return bytes == LIVE_BYTES && reply->as.live.height <= SEGURO_EVENT_ID_MAX;
    case SEGURO_FRAME_META_IS:
      return parse_meta(body, bytes, reply);
    case SEGURO_FRAME_FILE_IS:
      return parse_file(body, bytes, reply);
    case SEGURO_FRAME_DIGEST_IS:
      reply->as.digest.id = bytes == DIGEST_IS_BYTES ? seguro_load_u64(body) : 0;
      reply->as.digest.digest = body + 8;
      return bytes == DIGEST_IS_BYTES;
    case SEGURO_FRAME_META_LISTED:
    case SEGURO_FRAME_EPOCHS:
      reply->as.body = (seguro_span){body, bytes};
      return check_entries(header->type, reply->as.body);
    case SEGURO_FRAME_PONG:
      reply->as.body = (seguro_span){body, bytes};
      return bytes <= PONG_BYTES_MAX;
    case SEGURO_FRAME_OK:
      reply->as.body = (seguro_span){body, bytes};
      return bytes == 0;
    default:
      return false;
  }
}

int seguro_record_scan(const uint8_t *bytes, uint64_t length_bytes, uint64_t event_bytes_max, seguro_event *event, uint64_t *whole_bytes) {
  *whole_bytes = SEGURO_RECORD_HEADER_BYTES;
  if (length_bytes < SEGURO_RECORD_HEADER_BYTES) {
    return SEGURO_SCAN_PARTIAL;
  }
  seguro_record_header header = seguro_record_load(bytes);
  if (header.length_bytes > event_bytes_max || header.length_bytes > SEGURO_EVENT_BYTES_MAX || header.id == 0 ||
      header.id > SEGURO_EVENT_ID_MAX || header.flags != 0) {
    return SEGURO_SCAN_MALFORMED;
  }
  *whole_bytes = seguro_record_bytes(header.length_bytes);
  if (length_bytes < *whole_bytes) {
    return SEGURO_SCAN_PARTIAL;
  }
  const uint8_t *payload = bytes + SEGURO_RECORD_HEADER_BYTES;
  uint32_t crc = seguro_crc32c(0, bytes, SEGURO_RECORD_CHECKED_BYTES);
  if (seguro_crc32c(crc, payload, (size_t)header.length_bytes) != header.crc) {
    return SEGURO_SCAN_CHECKSUM;
  }
  for (uint64_t i = SEGURO_RECORD_HEADER_BYTES + header.length_bytes; i < *whole_bytes; i++) {
    if (bytes[i] != 0) {
      return SEGURO_SCAN_MALFORMED;
    }
  }
  event->id = header.id;
  event->bytes = payload;
  event->length_bytes = header.length_bytes;
  return SEGURO_SCAN_WHOLE;
}
