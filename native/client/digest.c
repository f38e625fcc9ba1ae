/* Small questions: the digest of the log at an event, and a round trip. */
#include <string.h>

#include "internal.h"

int seguro_digest_get(seguro *handle, uint64_t id, uint8_t digest[32], int64_t timeout_ms) {
  if (handle == NULL || digest == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  uint8_t body[8];
  seguro_store_u64(body, id);
  const seguro_span part = {body, sizeof body};
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "a digest", id);
  int code = seguro_request_run(handle, SEGURO_FRAME_DIGEST, &part, 1, SEGURO_FRAME_DIGEST_IS, &patience, NULL);
  if (code != 0) {
    return code;
  }
  if (handle->request.reply.as.digest.id != id) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "the digest of another event came");
  }
  memcpy(digest, handle->request.reply.as.digest.digest, SEGURO_DIGEST_SIZE);
  return 0;
}

int seguro_ping(seguro *handle, int64_t timeout_ms) {
  if (handle == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  uint8_t body[8];
  seguro_store_u64(body, seguro_random_next(handle));
  const seguro_span part = {body, sizeof body};
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "an answer to a ping", 0);
  int code = seguro_request_run(handle, SEGURO_FRAME_PING, &part, 1, SEGURO_FRAME_PONG, &patience, NULL);
  if (code != 0) {
    return code;
  }
  seguro_span answer = handle->request.reply.as.body;
  if (answer.length_bytes != sizeof body || memcmp(answer.bytes, body, sizeof body) != 0) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "a ping came back changed");
  }
  return 0;
}
