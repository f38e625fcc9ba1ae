/* Requests with one answer: sent, waited for, and sent again after a reconnect. All of them may be repeated without
 * harm. */
#include <string.h>

#include "internal.h"

bool seguro_request_is(const seguro *handle, uint32_t number) {
  return number != 0 && handle->request.number == number && !handle->request.is_answered;
}

/* Takes an answer, keeping a copy, since the receive buffer is used again. */
int seguro_request_take(seguro *handle, const seguro_frame_header *header, const uint8_t *body) {
  seguro_request *request = &handle->request;
  if (!seguro_request_is(handle, header->request)) {
    return 0; /* given up by timeout */
  }
  if (header->type != request->expected_type) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "an answer of type %u to a request that has another", header->type);
  }
  seguro_buffer_clear(&request->body);
  uint8_t *copy = seguro_buffer_reserve(&request->body, header->body_bytes + 1u);
  if (copy == NULL) {
    return seguro_session_fail(handle, SEGURO_ERR_MEMORY, "no memory for an answer");
  }
  memcpy(copy, body, header->body_bytes);
  if (!seguro_reply_parse(header, copy, &request->reply)) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "a malformed answer");
  }
  request->code = 0;
  request->is_answered = true;
  return 0;
}

static int wait_until_ready(seguro *handle, seguro_patience *patience) {
  while (handle->state != SEGURO_STATE_READY) {
    int code = seguro_patience_step(handle, patience);
    if (code < 0 && (code != SEGURO_ERR_TIMEOUT || handle->state != SEGURO_STATE_READY)) {
      return code;
    }
  }
  return 0;
}

/* Sends once and waits. Returns 0 when there is an answer, SEGURO_REQUEST_LOST when the session ended, or a negative
 * code. */
static int ask(seguro *handle, uint8_t type, const seguro_span *parts, unsigned part_count, uint8_t expected_type,
               seguro_patience *patience) {
  seguro_request *request = &handle->request;
  uint64_t generation = handle->generation;
  request->number = seguro_request_number(handle);
  request->expected_type = expected_type;
  request->is_answered = false;
  int code = seguro_control_add(handle, type, request->number, parts, part_count);
  while (code == 0 && !request->is_answered) {
    code = seguro_patience_step(handle, patience);
    if (code == 0 && !request->is_answered && (handle->generation != generation || handle->state != SEGURO_STATE_READY)) {
      code = SEGURO_REQUEST_LOST;
    }
  }
  request->number = 0;
  return request->is_answered ? 0 : code;
}

int seguro_request_run(seguro *handle, uint8_t type, const seguro_span *parts, unsigned part_count, uint8_t expected_type,
                       seguro_patience *patience, uint64_t *generation) {
  int code = SEGURO_REQUEST_LOST;
  while (code == SEGURO_REQUEST_LOST) {
    code = wait_until_ready(handle, patience);
    if (code < 0) {
      return code;
    }
    if (generation != NULL && *generation != 0 && *generation != handle->generation) {
      return SEGURO_REQUEST_LOST;
    }
    if (generation != NULL) {
      *generation = handle->generation;
    }
    code = ask(handle, type, parts, part_count, expected_type, patience);
    if (code == SEGURO_REQUEST_LOST && generation != NULL) {
      return code;
    }
  }
  return code < 0 ? code : handle->request.code;
}
