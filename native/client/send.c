/* Sending: queued records become large APPEND frames, gathered with small control frames into one system call. */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define BATCH_BODY_BYTES 24u
/* So many gathered sends before acknowledgements are looked at again. */
#define SEND_ROUNDS_MAX 8

int seguro_control_add(seguro *handle, uint8_t type, uint32_t request, const seguro_span *parts, unsigned part_count) {
  size_t body_bytes = 0;
  for (unsigned i = 0; i < part_count; i++) {
    body_bytes += parts[i].length_bytes;
  }
  size_t frame_bytes = SEGURO_FRAME_HEADER_BYTES + (size_t)seguro_align8(body_bytes);
  uint8_t *at = seguro_buffer_reserve(&handle->control, frame_bytes);
  if (at == NULL) {
    return seguro_error_set(handle, SEGURO_ERR_MEMORY, 0, "no memory for a frame of %zu bytes", frame_bytes);
  }
  memset(at, 0, SEGURO_FRAME_HEADER_BYTES);
  seguro_frame_store(at, (seguro_frame_header){.body_bytes = (uint32_t)body_bytes, .type = type, .request = request});
  handle->control.end += frame_bytes;
  at += SEGURO_FRAME_HEADER_BYTES;
  for (unsigned i = 0; i < part_count; i++) {
    if (parts[i].length_bytes > 0) {
      memcpy(at, parts[i].bytes, parts[i].length_bytes);
      at += parts[i].length_bytes;
    }
  }
  memset(at, 0, frame_bytes - SEGURO_FRAME_HEADER_BYTES - body_bytes);
  return 0;
}

uint32_t seguro_request_number(seguro *handle) {
  do {
    handle->request_last++;
  } while (handle->request_last == 0 || seguro_reader_find(handle, handle->request_last) != NULL);
  return handle->request_last;
}

static uint8_t *batch_store(uint8_t *head, uint64_t first_id, uint64_t last_id, uint64_t stream_bytes) {
  seguro_frame_store(head, (seguro_frame_header){.body_bytes = BATCH_BODY_BYTES, .type = SEGURO_FRAME_BATCH});
  seguro_store_u64(head + SEGURO_FRAME_HEADER_BYTES, first_id);
  seguro_store_u64(head + SEGURO_FRAME_HEADER_BYTES + 8, last_id - first_id + 1);
  seguro_store_u64(head + SEGURO_FRAME_HEADER_BYTES + 16, stream_bytes);
  return head + SEGURO_FRAME_HEADER_BYTES + BATCH_BODY_BYTES;
}

/* Makes the next frame out of at most body_bytes from `offset` of a segment; returns the bytes it took. */
static uint64_t frame_prepare(seguro *handle, seguro_segment *segment, uint64_t offset, uint64_t body_bytes) {
  seguro_send_frame *frame = &handle->frames[handle->frame_count];
  seguro_repeat *repeat = &handle->repeat;
  uint8_t *head = frame->head;
  if (repeat->left_bytes > 0) {
    if (!repeat->is_begun) {
      head = batch_store(head, repeat->first_id, repeat->last_id, repeat->left_bytes);
      repeat->is_begun = true;
    }
    body_bytes = body_bytes < repeat->left_bytes ? body_bytes : repeat->left_bytes;
    repeat->left_bytes -= body_bytes;
  } else if (segment->is_atomic && offset == 0) {
    head = batch_store(head, segment->first_id, segment->last_id, segment->used_bytes);
  }
  seguro_frame_store(head, (seguro_frame_header){.body_bytes = (uint32_t)body_bytes, .type = SEGURO_FRAME_APPEND});
  head += SEGURO_FRAME_HEADER_BYTES;
  frame->head_bytes = (uint32_t)(head - frame->head);
  frame->body_bytes = (uint32_t)body_bytes;
  frame->sent_bytes = 0;
  frame->body = segment->bytes + offset;
  frame->segment = segment;
  handle->frame_count++;
  return body_bytes;
}

/* Cuts what is queued into frames. A frame never spans two segments, so that an atomic batch begins where its BATCH
 * frame says. */
static void frames_plan(seguro *handle) {
  if (handle->send_segment == NULL) {
    handle->send_segment = handle->queue.head;
    handle->send_offset = 0;
  }
  while (handle->frame_count < SEGURO_SEND_FRAMES_MAX && handle->send_segment != NULL) {
    seguro_segment *segment = handle->send_segment;
    uint64_t left_bytes = segment->used_bytes - handle->send_offset;
    if (left_bytes == 0) {
      if (segment->next == NULL) {
        return;
      }
      handle->send_segment = segment->next;
      handle->send_offset = 0;
      continue;
    }
    uint64_t body_bytes = left_bytes < SEGURO_FRAME_BODY_MAX ? left_bytes : SEGURO_FRAME_BODY_MAX;
    body_bytes = frame_prepare(handle, segment, handle->send_offset, body_bytes);
    handle->send_offset += body_bytes;
    handle->queue.unsent_bytes -= body_bytes;
  }
}

/* Notes which records have gone out whole: only those can an acknowledgement on this connection mean. The sidecar takes
 * records in while the rest of their frame is still on its way, so a frame sent in part counts as far as it went. */
static void frame_passed(seguro *handle, const seguro_send_frame *frame) {
  seguro_segment *segment = frame->segment;
  uint32_t body_sent = frame->sent_bytes > frame->head_bytes ? frame->sent_bytes - frame->head_bytes : 0;
  uint64_t end = (uint64_t)(frame->body - segment->bytes) + body_sent;
  while (segment->passed_bytes < end) {
    seguro_record_header record = seguro_record_load(segment->bytes + segment->passed_bytes);
    uint64_t record_bytes = seguro_record_bytes(record.length_bytes);
    if (record_bytes > end - segment->passed_bytes) {
      return;
    }
    segment->passed_bytes += record_bytes;
    handle->sent_id = record.id;
  }
}

static unsigned frame_pieces(const seguro_send_frame *frame, struct iovec *pieces) {
  unsigned count = 0;
  uint32_t body_sent = 0;
  if (frame->sent_bytes < frame->head_bytes) {
    pieces[count].iov_base = (void *)(uintptr_t)(frame->head + frame->sent_bytes);
    pieces[count].iov_len = frame->head_bytes - frame->sent_bytes;
    count++;
  } else {
    body_sent = frame->sent_bytes - frame->head_bytes;
  }
  pieces[count].iov_base = (void *)(uintptr_t)(frame->body + body_sent);
  pieces[count].iov_len = frame->body_bytes - body_sent;
  return count + 1;
}

static unsigned control_pieces(const seguro *handle, struct iovec *piece) {
  piece->iov_base = handle->control.bytes + handle->control.start;
  piece->iov_len = handle->control.end - handle->control.start;
  return piece->iov_len > 0 ? 1 : 0;
}

static uint64_t control_sent(seguro *handle, uint64_t sent_bytes) {
  size_t held_bytes = handle->control.end - handle->control.start;
  size_t taken = sent_bytes < held_bytes ? (size_t)sent_bytes : held_bytes;
  handle->control.start += taken;
  return sent_bytes - taken;
}

/* Takes sent bytes off frames [0, count), drops the finished ones, and returns the bytes that are left over. */
static uint64_t frames_sent(seguro *handle, unsigned count, uint64_t sent_bytes) {
  unsigned done = 0;
  while (done < count && sent_bytes > 0) {
    seguro_send_frame *frame = &handle->frames[done];
    uint64_t left_bytes = frame->head_bytes + frame->body_bytes - frame->sent_bytes;
    if (sent_bytes < left_bytes) {
      frame->sent_bytes += (uint32_t)sent_bytes;
      frame_passed(handle, frame);
      sent_bytes = 0;
      break;
    }
    sent_bytes -= left_bytes;
    frame->sent_bytes += (uint32_t)left_bytes;
    frame_passed(handle, frame);
    done++;
  }
  handle->frame_count -= done;
  memmove(handle->frames, handle->frames + done, handle->frame_count * sizeof handle->frames[0]);
  return sent_bytes;
}

/* One gathered send: the frame begun before, then control frames, then the other frames. Returns bytes sent, 0, or
 * negative. */
static int64_t send_once(seguro *handle, bool *is_complete) {
  struct iovec pieces[2 * SEGURO_SEND_FRAMES_MAX + 1];
  unsigned begun = handle->frame_count > 0 && handle->frames[0].sent_bytes > 0 ? 1 : 0;
  unsigned count = begun > 0 ? frame_pieces(&handle->frames[0], pieces) : 0;
  count += control_pieces(handle, &pieces[count]);
  for (unsigned i = begun; i < handle->frame_count; i++) {
    count += frame_pieces(&handle->frames[i], &pieces[count]);
  }
  if (count == 0) {
    *is_complete = true;
    return 0;
  }
  uint64_t wanted_bytes = 0;
  for (unsigned i = 0; i < count; i++) {
    wanted_bytes += pieces[i].iov_len;
  }
  int64_t sent = handle->transport->send(&handle->link, pieces, count);
  if (sent <= 0) {
    *is_complete = false;
    return sent;
  }
  uint64_t left = frames_sent(handle, begun, (uint64_t)sent);
  left = control_sent(handle, left);
  frames_sent(handle, handle->frame_count, left);
  *is_complete = (uint64_t)sent == wanted_bytes;
  return sent;
}

bool seguro_send_is_wanted(const seguro *handle) {
  return handle->frame_count > 0 || handle->control.end > handle->control.start ||
         (handle->state == SEGURO_STATE_READY && handle->queue.unsent_bytes > 0);
}

/* Sends what the transport takes. Returns 1 when something went out, 0 when not (or when the session was lost), or a
 * permanent code. */
int seguro_send_step(seguro *handle) {
  bool is_any = false;
  handle->tried_bytes = 0;
  for (int round = 0; round < SEND_ROUNDS_MAX && seguro_send_is_wanted(handle); round++) {
    if (handle->state == SEGURO_STATE_READY) {
      frames_plan(handle);
    }
    bool is_complete;
    int64_t sent = send_once(handle, &is_complete);
    if (sent < SEGURO_TRANSPORT_AGAIN) {
      /* A sidecar that ends a session says why before it closes: what it said is still there to be received, and
       * receiving then ends the session. Only when nothing can be received either does the failed send speak. */
      int64_t received = seguro_receive_step(handle);
      if (received != 0 || handle->state < SEGURO_STATE_OFFER || handle->state > SEGURO_STATE_READY) {
        return received < 0 ? (int)received : 0;
      }
      return seguro_session_lose(handle, SEGURO_ERR_CONNECT, "sending failed: %s", strerror((int)(-2 - sent)));
    }
    is_any = is_any || sent > 0;
    if (!is_complete) {
      break;
    }
  }
  return is_any ? 1 : 0;
}

/* Offset in the segment of the first record above `id`. */
static uint64_t offset_above(const seguro_segment *segment, uint64_t id) {
  uint64_t offset = 0;
  while (offset < segment->used_bytes) {
    seguro_record_header record = seguro_record_load(segment->bytes + offset);
    if (record.id > id) {
      break;
    }
    offset += seguro_record_bytes(record.length_bytes);
  }
  return offset;
}

/* Back to the first record that is not acknowledged, for the next connection. */
void seguro_send_rewind(seguro *handle) {
  seguro_segment *head = handle->queue.head;
  handle->frame_count = 0;
  handle->repeat = (seguro_repeat){0};
  handle->send_segment = head;
  handle->send_offset = head == NULL ? 0 : offset_above(head, handle->queue.acked_id);
  handle->sent_id = 0;
  handle->queue.unsent_bytes = handle->queue.bytes - handle->send_offset;
  seguro_buffer_clear(&handle->control);
  for (seguro_segment *segment = head; segment != NULL; segment = segment->next) {
    segment->passed_bytes = segment == head ? handle->send_offset : 0;
  }
}

/* The log already holds up to `height` of what is kept here. Those records go out again as one atomic batch, which the
 * sidecar acknowledges when all of it was compared: the height it names after the first of them would say nothing about
 * the others. False when the height lies inside an atomic batch of ours, which no sidecar may have stored in part. */
bool seguro_send_repeat(seguro *handle, uint64_t height) {
  uint64_t first_id = seguro_queue_first(&handle->queue);
  uint64_t bytes = 0;
  if (first_id == 0 || first_id > height) {
    return true;
  }
  uint64_t last_id = 0;
  for (seguro_segment *segment = handle->send_segment; segment != NULL; segment = segment->next) {
    uint64_t end = segment->last_id <= height ? segment->used_bytes : offset_above(segment, height);
    if (end < segment->used_bytes && end > 0 && segment->is_atomic) {
      return false;
    }
    bytes += end;
    last_id = segment->last_id <= height ? segment->last_id : height;
    if (end < segment->used_bytes) {
      break;
    }
  }
  handle->repeat = (seguro_repeat){.first_id = first_id, .last_id = last_id, .left_bytes = bytes - handle->send_offset};
  return true;
}
