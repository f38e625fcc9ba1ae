/* Parser of the handshake's text blocks: pure, over a buffer (docs/protocol.md, "Handshake"). */
#include <string.h>

#include "reply.h"

/* Cuts the next space-separated field off *at; empty fields are not fields. */
static seguro_span next_field(const uint8_t **at, const uint8_t *end) {
  const uint8_t *from = *at;
  const uint8_t *space = memchr(from, ' ', (size_t)(end - from));
  const uint8_t *to = space == NULL ? end : space;
  *at = space == NULL ? end : space + 1;
  return (seguro_span){from, (size_t)(to - from)};
}

static bool is_text(seguro_span field, const char *text) {
  return field.length_bytes == strlen(text) && memcmp(field.bytes, text, field.length_bytes) == 0;
}

static bool is_number(seguro_span field) {
  if (field.length_bytes == 0 || field.length_bytes > 19) {
    return false;
  }
  for (size_t i = 0; i < field.length_bytes; i++) {
    if (field.bytes[i] < '0' || field.bytes[i] > '9') {
      return false;
    }
  }
  return true;
}

static int parse_offer(const uint8_t *at, const uint8_t *end) {
  bool is_offered = false;
  if (!is_text(next_field(&at, end), "SEGURO") || at == end) {
    return SEGURO_ERR_PROTOCOL;
  }
  while (at < end) {
    seguro_span version = next_field(&at, end);
    if (!is_number(version)) {
      return SEGURO_ERR_PROTOCOL;
    }
    is_offered = is_offered || is_text(version, "1");
  }
  return is_offered ? 1 : SEGURO_ERR_VERSION;
}

static int parse_identify(const uint8_t *at, const uint8_t *end) {
  if (!is_text(next_field(&at, end), "IDENTIFY") || !is_text(next_field(&at, end), "1") || at != end) {
    return SEGURO_ERR_PROTOCOL;
  }
  return 1;
}

/* The id in WELCOME is only a hint in version 1, so its form is checked and its value dropped. */
static int parse_welcome(const uint8_t *at, const uint8_t *end, const char *ship) {
  if (!is_text(next_field(&at, end), "WELCOME") || !is_text(next_field(&at, end), ship)) {
    return SEGURO_ERR_PROTOCOL;
  }
  if (at != end && (!is_number(next_field(&at, end)) || at != end)) {
    return SEGURO_ERR_PROTOCOL;
  }
  return 1;
}

int seguro_greeting_parse(const uint8_t *bytes, size_t length_bytes, seguro_greeting expected, const char *ship, size_t *block_bytes) {
  size_t most = length_bytes < SEGURO_TEXT_BLOCK_MAX ? length_bytes : SEGURO_TEXT_BLOCK_MAX;
  const uint8_t *end = most == 0 ? NULL : memchr(bytes, 0, most);
  if (end == NULL) {
    return length_bytes >= SEGURO_TEXT_BLOCK_MAX ? SEGURO_ERR_PROTOCOL : 0;
  }
  *block_bytes = (size_t)(end - bytes) + 1;
  switch (expected) {
    case SEGURO_GREETING_OFFER:
      return parse_offer(bytes, end);
    case SEGURO_GREETING_IDENTIFY:
      return parse_identify(bytes, end);
    default:
      return parse_welcome(bytes, end, ship);
  }
}
