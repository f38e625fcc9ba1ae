/* A byte buffer that is filled at its end and used up from its start. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

uint8_t *seguro_buffer_reserve(seguro_buffer *buffer, size_t room_bytes) {
  if (buffer->start == buffer->end) {
    buffer->start = 0;
    buffer->end = 0;
  }
  if (buffer->capacity - buffer->end >= room_bytes) {
    return buffer->bytes + buffer->end;
  }
  size_t held_bytes = buffer->end - buffer->start;
  if (room_bytes > SIZE_MAX / 2 - held_bytes) {
    return NULL;
  }
  size_t needed_bytes = held_bytes + room_bytes;
  if (needed_bytes > buffer->capacity) {
    size_t capacity = needed_bytes > 2 * buffer->capacity ? needed_bytes : 2 * buffer->capacity;
    uint8_t *bytes = malloc(capacity);
    if (bytes == NULL) {
      return NULL;
    }
    if (held_bytes > 0) {
      memcpy(bytes, buffer->bytes + buffer->start, held_bytes);
    }
    free(buffer->bytes);
    buffer->bytes = bytes;
    buffer->capacity = capacity;
  } else {
    memmove(buffer->bytes, buffer->bytes + buffer->start, held_bytes);
  }
  buffer->start = 0;
  buffer->end = held_bytes;
  return buffer->bytes + buffer->end;
}

void seguro_buffer_clear(seguro_buffer *buffer) {
  buffer->start = 0;
  buffer->end = 0;
}

void seguro_buffer_free(seguro_buffer *buffer) {
  free(buffer->bytes);
  memset(buffer, 0, sizeof *buffer);
}
