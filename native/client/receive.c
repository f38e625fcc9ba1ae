/* Receiving: one non-blocking receive, cut into frames. Bodies of RECORDS go straight into their reader's buffer. */
#include <string.h>

#include "internal.h"

#define RECEIVE_ROOM_BYTES 65536u

static bool is_connected(const seguro *handle) { return handle->state >= SEGURO_STATE_OFFER && handle->state <= SEGURO_STATE_READY; }

static int no_memory(seguro *handle) { return seguro_session_fail(handle, SEGURO_ERR_MEMORY, "no memory to receive into"); }

/* Moves what has come of a RECORDS body from the receive buffer to its reader. */
static int take_body(seguro *handle) {
  size_t held_bytes = handle->receive.end - handle->receive.start;
  size_t taken = held_bytes < handle->body_left ? held_bytes : handle->body_left;
  if (handle->body_reader != NULL && taken > 0) {
    uint8_t *into = seguro_buffer_reserve(&handle->body_reader->buffer, taken);
    if (into == NULL) {
      return no_memory(handle);
    }
    memcpy(into, handle->receive.bytes + handle->receive.start, taken);
    handle->body_reader->buffer.end += taken;
  }
  handle->receive.start += taken;
  handle->body_left -= (uint32_t)taken;
  return 0;
}

static int begin_body(seguro *handle, const seguro_frame_header *header) {
  seguro_reader *reader = seguro_reader_find(handle, header->request);
  if (handle->state != SEGURO_STATE_READY || reader == NULL || reader->is_ended) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "events came that were not asked for");
  }
  if (header->flags != 0 || header->body_bytes == 0 || header->body_bytes % 8 != 0) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "a RECORDS frame of a wrong form");
  }
  if (header->body_bytes > reader->credit_bytes) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "more events came than there was credit for");
  }
  reader->credit_bytes -= header->body_bytes;
  handle->receive.start += SEGURO_FRAME_HEADER_BYTES;
  handle->body_left = header->body_bytes;
  handle->body_reader = reader->is_closed ? NULL : reader;
  handle->attempts = 0;
  return 1;
}

/* Takes the next frame. Returns 1 when there was one, 0 when more bytes are needed, or a negative code. */
static int take_frame(seguro *handle) {
  const uint8_t *at = handle->receive.bytes + handle->receive.start;
  size_t held_bytes = handle->receive.end - handle->receive.start;
  if (held_bytes < SEGURO_FRAME_HEADER_BYTES) {
    return 0;
  }
  seguro_frame_header header;
  if (seguro_frame_load(at, &header) != 0) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "a frame header fails its check");
  }
  if (header.type == SEGURO_FRAME_RECORDS) {
    return begin_body(handle, &header);
  }
  size_t frame_bytes = SEGURO_FRAME_HEADER_BYTES + (size_t)seguro_align8(header.body_bytes);
  if (held_bytes < frame_bytes) {
    return 0;
  }
  for (size_t i = SEGURO_FRAME_HEADER_BYTES + header.body_bytes; i < frame_bytes; i++) {
    if (at[i] != 0) {
      return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "a frame's padding is not zero");
    }
  }
  handle->receive.start += frame_bytes;
  int code = seguro_session_take(handle, &header, at + SEGURO_FRAME_HEADER_BYTES);
  return code < 0 ? code : 1;
}

/* Cuts everything that has come. Ends early when a frame ends the session. */
static int dispatch(seguro *handle) {
  int code = 1;
  while (code > 0 && is_connected(handle)) {
    if (handle->body_left > 0) {
      code = take_body(handle);
      if (code == 0 && handle->body_left == 0) {
        code = 1;
      }
    } else if (handle->state < SEGURO_STATE_OPENING) {
      code = seguro_handshake_take(handle);
    } else {
      code = take_frame(handle);
    }
  }
  return code < 0 ? code : 0;
}

/* Where the next bytes go: into the reader that a RECORDS body belongs to, and what follows into the receive buffer. */
static unsigned receive_pieces(seguro *handle, struct iovec *pieces) {
  unsigned count = 0;
  if (handle->body_left > 0 && handle->body_reader != NULL) {
    uint8_t *into = seguro_buffer_reserve(&handle->body_reader->buffer, handle->body_left);
    if (into == NULL) {
      return 0;
    }
    pieces[count++] = (struct iovec){.iov_base = into, .iov_len = handle->body_left};
  }
  uint8_t *into = seguro_buffer_reserve(&handle->receive, RECEIVE_ROOM_BYTES);
  if (into == NULL) {
    return 0;
  }
  size_t room_bytes = count > 0 ? RECEIVE_ROOM_BYTES : handle->receive.capacity - handle->receive.end;
  pieces[count++] = (struct iovec){.iov_base = into, .iov_len = room_bytes};
  return count;
}

int64_t seguro_receive_step(seguro *handle) {
  struct iovec pieces[2];
  unsigned count = receive_pieces(handle, pieces);
  if (count == 0) {
    return no_memory(handle);
  }
  uint64_t wanted_bytes = pieces[0].iov_len + (count > 1 ? pieces[1].iov_len : 0);
  int64_t received = handle->transport->receive(&handle->link, pieces, count);
  handle->is_drained = received < (int64_t)wanted_bytes;
  if (received == SEGURO_TRANSPORT_AGAIN) {
    return 0;
  }
  if (received == SEGURO_TRANSPORT_CLOSED) {
    return seguro_session_lose(handle, SEGURO_ERR_CONNECT, "the sidecar closed the connection%s",
                               handle->state < SEGURO_STATE_OPENING ? " in the handshake" : "");
  }
  if (received < 0) {
    return seguro_session_lose(handle, SEGURO_ERR_CONNECT, "receiving failed: %s", strerror((int)(-2 - received)));
  }
  uint64_t left = (uint64_t)received;
  if (count > 1) {
    uint64_t body_bytes = left < handle->body_left ? left : handle->body_left;
    handle->body_reader->buffer.end += (size_t)body_bytes;
    handle->body_left -= (uint32_t)body_bytes;
    left -= body_bytes;
  }
  handle->receive.end += (size_t)left;
  int code = dispatch(handle);
  return code < 0 ? code : received;
}
