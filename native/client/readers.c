/* The readers of a handle as its session sees them: found by request, resumed after a reconnect, ended, forgotten. */
#include <stdlib.h>

#include "internal.h"

#define READ_BYTES 32u

seguro_reader *seguro_reader_find(seguro *handle, uint32_t request) {
  seguro_reader *reader = request == 0 ? NULL : handle->readers;
  while (reader != NULL && reader->request != request) {
    reader = reader->next;
  }
  return reader;
}

void seguro_reader_forget(seguro_reader *reader) {
  seguro *handle = reader->handle;
  seguro_reader **link = &handle->readers;
  while (*link != reader) {
    link = &(*link)->next;
  }
  *link = reader->next;
  if (handle->body_reader == reader) {
    handle->body_reader = NULL;
  }
  seguro_buffer_free(&reader->buffer);
  free(reader);
}

/* The session is gone: what came of unfinished reads is dropped, down to the last event delivered, and will be read
 * again. */
void seguro_readers_lose(seguro *handle) {
  seguro_reader *reader = handle->readers;
  while (reader != NULL) {
    seguro_reader *next = reader->next;
    if (reader->is_closed) {
      seguro_reader_forget(reader);
    } else if (!reader->is_ended) {
      seguro_buffer_clear(&reader->buffer);
      reader->request = 0;
      reader->credit_bytes = 0;
      reader->live_height = 0;
    }
    reader = next;
  }
}

/* Sends READ for what has not been delivered yet. */
int seguro_reader_resume(seguro_reader *reader) {
  seguro *handle = reader->handle;
  uint64_t left = reader->limit == 0 ? 0 : reader->limit - reader->delivered;
  reader->delivered_now = 0;
  reader->height_then = handle->session_height;
  if (reader->limit > 0 && left == 0) {
    /* Everything was delivered, only the closing SENT went down with the session; and a limit of 0 would mean none. */
    reader->is_ended = true;
    reader->sent_count = 0;
    reader->sent_reason = SEGURO_SENT_LIMIT;
    return 0;
  }
  uint8_t body[READ_BYTES] = {0};
  seguro_store_u64(body, reader->next_id);
  seguro_store_u64(body + 8, left);
  seguro_store_u64(body + 16, handle->options.read_window_bytes);
  seguro_store_u32(body + 24, (uint32_t)reader->flags);
  seguro_span part = {body, sizeof body};
  reader->request = seguro_request_number(handle);
  int code = seguro_control_add(handle, SEGURO_FRAME_READ, reader->request, &part, 1);
  if (code != 0) {
    seguro_session_end(handle, true);
    return code;
  }
  reader->credit_bytes = handle->options.read_window_bytes;
  return 0;
}

int seguro_readers_resume(seguro *handle) {
  int code = 0;
  for (seguro_reader *reader = handle->readers; reader != NULL && code == 0; reader = reader->next) {
    if (!reader->is_ended) {
      code = seguro_reader_resume(reader);
    }
  }
  return code;
}

void seguro_reader_take_sent(seguro_reader *reader, const seguro_reply *reply) {
  if (reader->is_closed) {
    seguro_reader_forget(reader);
    return;
  }
  reader->is_ended = true;
  reader->sent_count = reply->as.sent.count;
  reader->sent_next_id = reply->as.sent.next_id;
  reader->sent_reason = reply->as.sent.reason;
}
