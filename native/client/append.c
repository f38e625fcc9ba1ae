/* Appending: records are queued, leave in large frames, and go when the sidecar has acknowledged them. */
#include <string.h>

#include "internal.h"

/* So much waits before an append sends by itself: large enough for one system call to carry many small events. */
#define FLUSH_BYTES 65536u

uint64_t seguro_height(const seguro *handle) { return handle->info.height; }

uint64_t seguro_next_id(const seguro *handle) {
  if (handle->queue.last_id > 0) {
    return handle->queue.last_id + 1;
  }
  return handle->info.height > 0 ? handle->info.height + 1 : 0;
}

uint64_t seguro_unacknowledged_bytes(const seguro *handle) { return handle->queue.bytes; }

/* Takes a cumulative height. It means only what went out whole on this connection: after a reconnect the log may hold
 * more of ours, but that counts when the sidecar has compared it. */
int seguro_append_height(seguro *handle, uint64_t height, uint64_t digest_id, const uint8_t *digest) {
  uint64_t most = handle->session_height > handle->sent_id ? handle->session_height : handle->sent_id;
  if (handle->options.role != SEGURO_ROLE_WRITE || height > most) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "height %llu was acknowledged, but only %llu can be",
                               (unsigned long long)height, (unsigned long long)most);
  }
  if (height > handle->session_height) {
    handle->session_height = height;
  }
  if (handle->info.height == 0 && height > 0 && height < handle->first_id) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "height %llu was acknowledged in a log that begins with event %llu",
                               (unsigned long long)height, (unsigned long long)handle->first_id);
  }
  uint64_t covered = height < handle->sent_id ? height : handle->sent_id;
  if (covered > handle->queue.acked_id) {
    handle->queue.acked_id = covered;
    seguro_queue_release(&handle->queue, &handle->send_segment, &handle->send_offset);
  }
  seguro_info *info = &handle->info;
  bool is_higher = covered > info->height;
  if (is_higher) {
    info->height = covered;
    info->base = info->base == 0 ? handle->first_id : info->base;
  }
  if (digest_id > 0 && digest_id >= info->digest_id && digest_id <= info->height) {
    info->digest_id = digest_id;
    memcpy(info->digest, digest, SEGURO_DIGEST_SIZE);
  }
  if (is_higher && handle->options.on_height != NULL) {
    handle->options.on_height(handle->options.context, info->height);
  }
  return 0;
}

static int check_order(seguro *handle, uint64_t id, uint64_t count) {
  if (handle->options.role != SEGURO_ROLE_WRITE) {
    return seguro_error_set(handle, SEGURO_ERR_BAD_ROLE, id, "this handle was opened for reading");
  }
  if (id == 0 || count == 0 || id > SEGURO_EVENT_ID_MAX || count - 1 > SEGURO_EVENT_ID_MAX - id) {
    return seguro_error_set(handle, SEGURO_ERR_ARGUMENT, id, "event ids are 1 to 2^63 - 1");
  }
  uint64_t next_id = seguro_next_id(handle);
  bool is_repeat = id < next_id && id <= handle->info.height;
  if (next_id != 0 && id != next_id && !is_repeat) {
    return seguro_error_set(handle, SEGURO_ERR_ORDER, id, "event %llu does not follow; expected is %llu", (unsigned long long)id,
                            (unsigned long long)next_id);
  }
  return 0;
}

/* Whether `bytes` more may be kept. An empty queue takes anything, so that one event of any size always passes. A
 * repeat of a stored event passes alone: an acknowledgement names the log's height, and could not say which of several
 * repeats it means. */
static bool has_room(const seguro *handle, uint64_t bytes, uint64_t id) {
  uint64_t most = handle->options.buffer_bytes;
  if (handle->queue.bytes == 0) {
    return true;
  }
  if (id <= handle->info.height) {
    return seguro_queue_first(&handle->queue) == 0;
  }
  return bytes <= most && handle->queue.bytes <= most - bytes;
}

static int wait_for_room(seguro *handle, uint64_t bytes, uint64_t id, int64_t timeout_ms) {
  if (has_room(handle, bytes, id)) {
    return 0;
  }
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "room in the client's buffer", id);
  for (;;) {
    int code = seguro_patience_step(handle, &patience);
    bool is_usable = code == 0 || code == SEGURO_ERR_TIMEOUT;
    if (!is_usable || has_room(handle, bytes, id)) {
      return is_usable ? 0 : code;
    }
    if (code == SEGURO_ERR_TIMEOUT) {
      return code;
    }
  }
}

/* Accounts for records [first_id, last_id] of `bytes` that now lie in the queue. */
static void note_queued(seguro *handle, uint64_t first_id, uint64_t last_id, uint64_t bytes) {
  if (handle->queue.last_id == 0 || first_id != handle->queue.last_id + 1) {
    /* The first one, or a fall back to stored events: what was acknowledged before says nothing about these. */
    handle->queue.acked_id = first_id - 1;
    handle->sent_id = 0;
  }
  if (handle->info.height == 0 && handle->queue.last_id == 0) {
    handle->first_id = first_id;
  }
  handle->queue.last_id = last_id;
  handle->queue.bytes += bytes;
  handle->queue.unsent_bytes += bytes;
  handle->tried_bytes += bytes;
}

static int send_when_much(seguro *handle) { return handle->tried_bytes >= FLUSH_BYTES ? seguro_step(handle, 0) : 0; }

static int too_large(seguro *handle, uint64_t id, const char *what, uint64_t bytes, uint64_t most) {
  return seguro_error_set(handle, SEGURO_ERR_TOO_LARGE, id, "%s of %llu bytes, the sidecar takes %llu", what, (unsigned long long)bytes,
                          (unsigned long long)most);
}

int seguro_append(seguro *handle, uint64_t id, const void *bytes, uint64_t length_bytes, int64_t timeout_ms) {
  if (handle == NULL || (bytes == NULL && length_bytes > 0)) {
    return SEGURO_ERR_ARGUMENT;
  }
  if (handle->state == SEGURO_STATE_FAILED) {
    return handle->failure;
  }
  int code = check_order(handle, id, 1);
  if (code != 0) {
    return code;
  }
  if (length_bytes > SEGURO_EVENT_BYTES_MAX || length_bytes > handle->info.event_bytes_max) {
    return too_large(handle, id, "an event", length_bytes, handle->info.event_bytes_max);
  }
  uint64_t record_bytes = seguro_record_bytes(length_bytes);
  code = wait_for_room(handle, record_bytes, id, timeout_ms);
  if (code != 0) {
    return code;
  }
  seguro_segment *segment = seguro_queue_room(&handle->queue, record_bytes);
  if (segment == NULL) {
    return seguro_error_set(handle, SEGURO_ERR_MEMORY, id, "no memory for an event of %llu bytes", (unsigned long long)length_bytes);
  }
  seguro_segment_write(segment, id, bytes, length_bytes);
  note_queued(handle, id, id, record_bytes);
  return send_when_much(handle);
}

static int batch_bytes(seguro *handle, uint64_t first_id, uint64_t count, const void *const *bytes, const uint64_t *length_bytes,
                       uint64_t *total_bytes) {
  *total_bytes = 0;
  for (uint64_t i = 0; i < count; i++) {
    if (bytes[i] == NULL && length_bytes[i] > 0) {
      return SEGURO_ERR_ARGUMENT;
    }
    if (length_bytes[i] > SEGURO_EVENT_BYTES_MAX || length_bytes[i] > handle->info.event_bytes_max) {
      return too_large(handle, first_id + i, "an event", length_bytes[i], handle->info.event_bytes_max);
    }
    *total_bytes += seguro_record_bytes(length_bytes[i]);
    if (*total_bytes > handle->info.batch_bytes_max) {
      return too_large(handle, first_id, "a batch", *total_bytes, handle->info.batch_bytes_max);
    }
  }
  return 0;
}

int seguro_append_atomic(seguro *handle, uint64_t first_id, uint64_t count, const void *const *bytes, const uint64_t *length_bytes,
                         int64_t timeout_ms) {
  if (handle == NULL || bytes == NULL || length_bytes == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  if (handle->state == SEGURO_STATE_FAILED) {
    return handle->failure;
  }
  uint64_t total_bytes;
  int code = check_order(handle, first_id, count);
  if (code == 0) {
    code = batch_bytes(handle, first_id, count, bytes, length_bytes, &total_bytes);
  }
  if (code == 0) {
    uint64_t height = handle->info.height;
    if (first_id <= height && first_id + (count - 1) > height) {
      /* The sidecar would end the session over it. */
      code = seguro_error_set(handle, SEGURO_ERR_BATCH_STRADDLES, first_id, "the batch is stored in part, up to %llu",
                              (unsigned long long)height);
    }
  }
  if (code == 0) {
    code = wait_for_room(handle, total_bytes, first_id, timeout_ms);
  }
  if (code != 0) {
    return code;
  }
  seguro_segment *segment = seguro_segment_new(total_bytes);
  if (segment == NULL) {
    return seguro_error_set(handle, SEGURO_ERR_MEMORY, first_id, "no memory for a batch of %llu bytes", (unsigned long long)total_bytes);
  }
  segment->is_atomic = true;
  for (uint64_t i = 0; i < count; i++) {
    seguro_segment_write(segment, first_id + i, bytes[i], length_bytes[i]);
  }
  seguro_queue_attach(&handle->queue, segment);
  note_queued(handle, first_id, first_id + (count - 1), total_bytes);
  return send_when_much(handle);
}

int seguro_flush(seguro *handle) { return handle == NULL ? SEGURO_ERR_ARGUMENT : seguro_step(handle, 0); }

static bool is_acknowledged(const seguro *handle, uint64_t id) {
  uint64_t first = seguro_queue_first(&handle->queue);
  return first == 0 || id < first;
}

int seguro_wait(seguro *handle, uint64_t id, int64_t timeout_ms) {
  if (handle == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  if (id > handle->queue.last_id && id > handle->info.height) {
    return seguro_error_set(handle, SEGURO_ERR_ARGUMENT, id, "event %llu was never appended", (unsigned long long)id);
  }
  if (handle->state == SEGURO_STATE_FAILED) {
    return handle->failure;
  }
  if (is_acknowledged(handle, id)) {
    return 0;
  }
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "the acknowledgement of an event", id);
  for (;;) {
    int code = seguro_patience_step(handle, &patience);
    if (is_acknowledged(handle, id) && (code == 0 || code == SEGURO_ERR_TIMEOUT)) {
      return 0;
    }
    if (code < 0) {
      return code;
    }
  }
}
