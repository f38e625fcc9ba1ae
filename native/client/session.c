/* What a whole frame of the sidecar means to the session. */
#include "internal.h"

#define ERROR_BAD_OPEN 6u
#define ERROR_CLIENT_STALLED 60u
#define ERROR_HANDSHAKE_TIMEOUT 61u

/* Both only say that this process stood still for a while, so the session may be opened again. */
static bool may_pass(const seguro_reply_error *error) {
  return (error->flags & SEGURO_ERROR_RETRY) != 0 || error->code == ERROR_CLIENT_STALLED || error->code == ERROR_HANDSHAKE_TIMEOUT;
}

static int take_error(seguro *handle, uint32_t request, const seguro_reply_error *error) {
  if ((error->flags & SEGURO_ERROR_FATAL) != 0) {
    seguro_error_take(handle, error);
    bool is_ring_unknown = error->code == ERROR_BAD_OPEN && handle->state == SEGURO_STATE_OPENING && handle->link.is_memory_wanted &&
                           handle->options.transport == SEGURO_TRANSPORT_AUTO;
    if (is_ring_unknown) {
      /* A sidecar older than shared memory; if it means something else, it says so again. */
      handle->is_ring_given_up = true;
    }
    seguro_session_end(handle, !is_ring_unknown && !may_pass(error));
    return handle->failure;
  }
  seguro_reader *reader = seguro_reader_find(handle, request);
  if (reader != NULL) {
    if (reader->is_closed) {
      seguro_reader_forget(reader);
      return 0;
    }
    seguro_error_take(handle, error);
    reader->code = handle->error.code;
    reader->is_ended = true;
  } else if (seguro_request_is(handle, request)) {
    seguro_error_take(handle, error);
    handle->request.code = handle->error.code;
    handle->request.is_answered = true;
  }
  /* Else it answers a request that was given up by timeout: nobody's any more. */
  return 0;
}

static int malformed(seguro *handle, uint8_t type) {
  return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "a frame of type %u that is malformed or out of place", type);
}

static int take_reading(seguro *handle, const seguro_reply *reply) {
  seguro_reader *reader = seguro_reader_find(handle, reply->request);
  if (reader == NULL || reader->is_ended) {
    return malformed(handle, reply->type);
  }
  if (reply->type == SEGURO_FRAME_SENT) {
    seguro_reader_take_sent(reader, reply);
    return 0;
  }
  if ((reader->flags & SEGURO_READ_TAIL) == 0) {
    return malformed(handle, reply->type);
  }
  reader->live_height = reply->as.live.height;
  if (handle->options.role == SEGURO_ROLE_READ && reader->live_height > handle->info.height) {
    handle->info.height = reader->live_height;
  }
  return 0;
}

int seguro_session_take(seguro *handle, const seguro_frame_header *header, const uint8_t *body) {
  seguro_reply reply;
  if (!seguro_reply_parse(header, body, &reply)) {
    return malformed(handle, header->type);
  }
  if (reply.type == SEGURO_FRAME_ERROR) {
    return take_error(handle, reply.request, &reply.as.error);
  }
  if ((reply.type == SEGURO_FRAME_OPENED) != (handle->state == SEGURO_STATE_OPENING)) {
    return malformed(handle, reply.type);
  }
  if (reply.type == SEGURO_FRAME_OPENED) {
    return seguro_handshake_opened(handle, &reply.as.opened);
  }
  handle->attempts = 0;
  switch (reply.type) {
    case SEGURO_FRAME_HEIGHT:
      return seguro_append_height(handle, reply.as.height.height, reply.as.height.digest_id, reply.as.height.digest);
    case SEGURO_FRAME_SENT:
    case SEGURO_FRAME_LIVE:
      return take_reading(handle, &reply);
    default:
      return seguro_request_take(handle, header, body);
  }
}
