/* Readers as their caller sees them: pull iterators with credit, checked on private memory, over reconnects (readers.c). */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A buffer that grew for a huge event goes when it is this many windows large and empty. */
#define BUFFER_WINDOWS_MAX 4u
#define READER_ROOM_TIMEOUT_MS 10000
#define ERROR_TOO_MANY_READS 41

static unsigned count_readers(const seguro *handle) {
  unsigned count = 0;
  for (const seguro_reader *reader = handle->readers; reader != NULL; reader = reader->next) {
    count++;
  }
  return count;
}

int seguro_reader_open(seguro_reader **out, seguro *handle, uint64_t from_id, uint64_t limit, int flags) {
  if (out == NULL || handle == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  *out = NULL;
  if (from_id == 0 || from_id > SEGURO_EVENT_ID_MAX || (flags & ~SEGURO_READ_TAIL) != 0) {
    return seguro_error_set(handle, SEGURO_ERR_ARGUMENT, from_id, "a wrong first id or flag");
  }
  seguro_patience patience;
  seguro_patience_begin(&patience, READER_ROOM_TIMEOUT_MS, "an earlier read to end", 0);
  /* Readers closed in mid-read hold their number until the sidecar has answered. */
  while (count_readers(handle) >= SEGURO_READERS_MAX) {
    int code = seguro_patience_step(handle, &patience);
    if (code < 0) {
      return code == SEGURO_ERR_TIMEOUT ? SEGURO_ERR_SERVER(ERROR_TOO_MANY_READS) : code;
    }
  }
  seguro_reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL) {
    return seguro_error_set(handle, SEGURO_ERR_MEMORY, 0, "no memory for a reader");
  }
  reader->handle = handle;
  reader->next_id = from_id;
  reader->limit = limit;
  reader->flags = flags;
  reader->next = handle->readers;
  handle->readers = reader;
  int code = handle->state == SEGURO_STATE_FAILED  ? handle->failure
             : handle->state == SEGURO_STATE_READY ? seguro_reader_resume(reader)
                                                   : 0;
  if (code != 0) {
    seguro_reader_forget(reader);
    return code;
  }
  *out = reader;
  return 0;
}

static int reader_fail(seguro_reader *reader, int code, const char *text) {
  reader->code = seguro_error_set(reader->handle, code, reader->next_id, "%s", text);
  return code;
}

/* Grants credit when half of the window is used up; `ahead_bytes` are held and can be delivered. */
static int top_up(seguro_reader *reader, uint64_t ahead_bytes) {
  seguro *handle = reader->handle;
  uint64_t window_bytes = handle->options.read_window_bytes;
  if (reader->is_ended || reader->request == 0 || handle->state != SEGURO_STATE_READY ||
      reader->credit_bytes + ahead_bytes > window_bytes / 2) {
    return 0;
  }
  uint8_t body[8];
  uint64_t more_bytes = window_bytes - reader->credit_bytes - ahead_bytes;
  seguro_store_u64(body, more_bytes);
  seguro_span part = {body, sizeof body};
  int code = seguro_control_add(handle, SEGURO_FRAME_CREDIT, reader->request, &part, 1);
  if (code != 0) {
    return code;
  }
  reader->credit_bytes += more_bytes;
  code = seguro_send_step(handle);
  return code < 0 ? code : 0;
}

static bool is_expected(const seguro_reader *reader, uint64_t id) {
  uint64_t base = reader->handle->info.base;
  if (reader->is_anchored) {
    return id == reader->next_id;
  }
  if (base > 0) {
    return id == (reader->next_id > base ? reader->next_id : base);
  }
  return id >= reader->next_id;
}

/* Returns 1 with the next event, 0 when it has not come whole, or an error that ends the reader. */
static int take_event(seguro_reader *reader, seguro_event *event) {
  seguro_buffer *buffer = &reader->buffer;
  uint64_t held_bytes = buffer->end - buffer->start;
  if (held_bytes == 0) {
    return 0;
  }
  uint64_t whole_bytes;
  int found = seguro_record_scan(buffer->bytes + buffer->start, held_bytes, SEGURO_EVENT_BYTES_MAX, event, &whole_bytes);
  if (found == SEGURO_SCAN_PARTIAL) {
    return 0;
  }
  if (found == SEGURO_SCAN_CHECKSUM) {
    return reader_fail(reader, SEGURO_ERR_CHECKSUM, "an event fails its checksum");
  }
  if (found != SEGURO_SCAN_WHOLE) {
    return reader_fail(reader, SEGURO_ERR_PROTOCOL, "a malformed record");
  }
  if (!is_expected(reader, event->id)) {
    return reader_fail(reader, SEGURO_ERR_PROTOCOL, "an event with an id that does not follow");
  }
  if (reader->limit > 0 && reader->delivered == reader->limit) {
    return reader_fail(reader, SEGURO_ERR_PROTOCOL, "more events than were asked for");
  }
  buffer->start += (size_t)whole_bytes;
  reader->next_id = event->id + 1;
  reader->is_anchored = true;
  reader->delivered++;
  reader->delivered_now++;
  return 1;
}

/* The end must be where the sidecar says, and not before what the log was said to hold: a short read must not pass for
 * a whole one. */
static int check_end(seguro_reader *reader) {
  if (reader->buffer.end != reader->buffer.start || reader->sent_count != reader->delivered_now ||
      (reader->sent_count > 0 && reader->sent_next_id != reader->next_id)) {
    return reader_fail(reader, SEGURO_ERR_PROTOCOL, "a read ended elsewhere than the sidecar says");
  }
  if (reader->sent_reason == SEGURO_SENT_LIMIT && (reader->limit == 0 || reader->delivered != reader->limit)) {
    return reader_fail(reader, SEGURO_ERR_PROTOCOL, "a read ended before its limit");
  }
  if (reader->sent_reason == SEGURO_SENT_CANCELLED || (reader->flags & SEGURO_READ_TAIL && reader->sent_reason == SEGURO_SENT_END)) {
    return reader_fail(reader, SEGURO_ERR_PROTOCOL, "a read ended unasked");
  }
  if (reader->sent_reason == SEGURO_SENT_END && reader->next_id <= reader->height_then) {
    return reader_fail(reader, SEGURO_ERR_LOST, "a read ended before the log's height");
  }
  return 0;
}

/* One look at what has come. Returns 1, 0 at the end, an error, or SEGURO_ERR_TIMEOUT when more must be waited for. */
static int look(seguro_reader *reader, seguro_event *event) {
  if (reader->code != 0) {
    return reader->code;
  }
  int found = take_event(reader, event);
  if (found == 0 && !reader->is_ended) {
    return SEGURO_ERR_TIMEOUT;
  }
  return found == 0 ? check_end(reader) : found;
}

int seguro_reader_next(seguro_reader *reader, seguro_event *event, int64_t timeout_ms) {
  if (reader == NULL || event == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  seguro *handle = reader->handle;
  uint64_t held_bytes = reader->buffer.end - reader->buffer.start;
  if (held_bytes == 0 && reader->buffer.capacity > BUFFER_WINDOWS_MAX * handle->options.read_window_bytes) {
    seguro_buffer_free(&reader->buffer);
  }
  /* Before an event is handed out, because sending may end in receiving, which moves buffers. */
  int code = top_up(reader, held_bytes);
  if (code < 0) {
    return code;
  }
  int found = look(reader, event);
  if (found != SEGURO_ERR_TIMEOUT) {
    return found;
  }
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "an event to read", reader->next_id);
  for (;;) {
    /* The event at hand is incomplete: what is held cannot be delivered, so it does not count against the window. */
    code = top_up(reader, 0);
    if (code == 0) {
      code = seguro_patience_step(handle, &patience);
    }
    if (reader->live_height > 0) {
      patience.started_ms = seguro_clock_ms(); /* silence at the live end is no stall */
    }
    found = look(reader, event);
    if (found != SEGURO_ERR_TIMEOUT || code < 0) {
      return found != SEGURO_ERR_TIMEOUT ? found : code;
    }
  }
}

uint64_t seguro_reader_live_height(const seguro_reader *reader) { return reader->live_height; }

void seguro_reader_close(seguro_reader *reader) {
  if (reader == NULL) {
    return;
  }
  seguro *handle = reader->handle;
  if (reader->is_ended || reader->request == 0 || handle->state != SEGURO_STATE_READY) {
    seguro_reader_forget(reader);
    return;
  }
  reader->is_closed = true;
  seguro_buffer_free(&reader->buffer);
  if (handle->body_reader == reader) {
    handle->body_reader = NULL;
  }
  /* With its limit reached the read is over and its SENT on the way. Without memory for the CANCEL the session is given
   * up: the events of a reader that nobody has any more must not fill the connection for ever. */
  bool is_over = reader->limit > 0 && reader->delivered == reader->limit;
  if (!is_over && seguro_control_add(handle, SEGURO_FRAME_CANCEL, reader->request, NULL, 0) != 0) {
    seguro_session_end(handle, false);
  } else {
    seguro_send_step(handle);
  }
}
