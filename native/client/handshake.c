/* The handshake, and the check that a session opened again continues the one before it. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define OPEN_BYTES 64u

static int say(seguro *handle, const char *text) {
  size_t text_bytes = strlen(text) + 1;
  uint8_t *at = seguro_buffer_reserve(&handle->control, text_bytes);
  if (at == NULL) {
    return seguro_session_fail(handle, SEGURO_ERR_MEMORY, "no memory for the handshake");
  }
  memcpy(at, text, text_bytes);
  handle->control.end += text_bytes;
  return 0;
}

/* The pair that the sidecar judges us by: our own newest one with a digest, since a digest proves more than a height;
 * the height itself is compared here, in check_continues. */
static void name_pair(seguro *handle, uint8_t *body) {
  uint64_t id = handle->options.last_id;
  const uint8_t *digest = handle->options.last_digest;
  static const uint8_t unknown[SEGURO_DIGEST_SIZE];
  if (handle->was_opened && handle->info.digest_id > 0) {
    id = handle->info.digest_id;
    digest = handle->info.digest;
  } else if (handle->was_opened) {
    id = handle->info.height;
    digest = unknown;
  }
  handle->is_verdict_named = id > 0;
  seguro_store_u64(body + 8, id);
  memcpy(body + 16, digest, SEGURO_DIGEST_SIZE);
}

/* POINT and OPEN go out together: one round trip less at every (re)connect. */
static int point_and_open(seguro *handle) {
  char point[sizeof "POINT " + SEGURO_SHIP_BYTES_MAX];
  (void)snprintf(point, sizeof point, "POINT %s", handle->ship);
  int code = say(handle, point);
  if (code != 0) {
    return code;
  }
  uint8_t body[OPEN_BYTES] = {0};
  body[0] = (uint8_t)handle->options.role;
  body[1] = (uint8_t)(handle->was_opened ? handle->info.kind : handle->options.kind);
  seguro_store_u32(body + 4, handle->options.log);
  name_pair(handle, body);
  handle->link.is_memory_wanted = handle->options.transport != SEGURO_TRANSPORT_STREAM && !handle->is_ring_given_up;
  if (handle->link.is_memory_wanted) {
    uint64_t wished_bytes = handle->options.ring_bytes;
    seguro_store_u64(body + 48, SEGURO_RING_OPEN_OPTION);
    seguro_store_u64(body + 56, wished_bytes == 0 ? 0 : seguro_ring_data_bytes_for(wished_bytes));
  }
  seguro_span part = {body, sizeof body};
  code = seguro_control_add(handle, SEGURO_FRAME_OPEN, seguro_request_number(handle), &part, 1);
  if (code != 0) {
    seguro_session_end(handle, true);
  }
  return code;
}

/* Takes the next text block. Returns 1 when there was one, 0 when more bytes are needed, or a negative code. */
int seguro_handshake_take(seguro *handle) {
  seguro_greeting expected = handle->state == SEGURO_STATE_OFFER      ? SEGURO_GREETING_OFFER
                             : handle->state == SEGURO_STATE_IDENTIFY ? SEGURO_GREETING_IDENTIFY
                                                                      : SEGURO_GREETING_WELCOME;
  size_t held_bytes = handle->receive.end - handle->receive.start;
  if (held_bytes == 0) {
    return 0;
  }
  size_t block_bytes = 0;
  int found = seguro_greeting_parse(handle->receive.bytes + handle->receive.start, held_bytes, expected, handle->ship, &block_bytes);
  if (found < 0) {
    return seguro_session_fail(handle, found,
                               found == SEGURO_ERR_VERSION ? "the sidecar offers other protocol versions than 1"
                                                           : "the handshake is not a sidecar's; is this the right socket?");
  }
  if (found == 0) {
    return 0;
  }
  handle->receive.start += block_bytes;
  int code = 0;
  if (expected == SEGURO_GREETING_OFFER) {
    handle->state = SEGURO_STATE_IDENTIFY;
    code = say(handle, "HELLO 1");
  } else if (expected == SEGURO_GREETING_IDENTIFY) {
    handle->state = SEGURO_STATE_WELCOME;
    code = point_and_open(handle);
  } else {
    handle->state = SEGURO_STATE_OPENING;
  }
  return code < 0 ? code : 1;
}

static int check_verdict(seguro *handle, const seguro_reply_opened *opened) {
  if (opened->verdict == SEGURO_VERDICT_AHEAD) {
    return seguro_session_fail(handle, SEGURO_ERR_LOST, "the log ends at event %llu, below what was acknowledged",
                               (unsigned long long)opened->height);
  }
  if (opened->verdict == SEGURO_VERDICT_DIVERGED) {
    return seguro_session_fail(handle, SEGURO_ERR_DIVERGED, "the log differs at or before event %llu",
                               (unsigned long long)opened->verdict_id);
  }
  if (handle->is_verdict_named && opened->verdict == SEGURO_VERDICT_NONE) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "the sidecar gave no verdict on the pair named");
  }
  return 0;
}

/* The log that was opened again must be the one that was acknowledged, all of it, and nothing that we did not write. */
static int check_continues(seguro *handle, const seguro_reply_opened *opened) {
  const seguro_info *info = &handle->info;
  bool was_empty = info->height == 0;
  /* A reader that opened an empty log knows a height from LIVE, but not yet where the log begins. */
  bool is_base_known = info->base != 0;
  bool is_base_other = is_base_known ? opened->base != info->base : !was_empty && opened->base > info->height;
  if (opened->kind != info->kind || (opened->log != info->log && !was_empty) || is_base_other) {
    return seguro_session_fail(handle, SEGURO_ERR_LOST, "log %u from event %llu has become log %u from event %llu", info->log,
                               (unsigned long long)info->base, opened->log, (unsigned long long)opened->base);
  }
  if (opened->height < info->height) {
    return seguro_session_fail(handle, SEGURO_ERR_LOST, "the log ends at event %llu, %llu was acknowledged",
                               (unsigned long long)opened->height, (unsigned long long)info->height);
  }
  uint64_t most = info->height > handle->queue.last_id ? info->height : handle->queue.last_id;
  if (handle->options.role == SEGURO_ROLE_WRITE && opened->height > most) {
    return seguro_session_fail(handle, SEGURO_ERR_DIVERGED, "the log ends at event %llu, this writer's at %llu",
                               (unsigned long long)opened->height, (unsigned long long)most);
  }
  return 0;
}

/* Moves the session into the shared memory that came with OPENED, if any did. A handle that needs a ring and cannot
 * have one at its first session fails; later it goes on over the stream, because a ship that cannot save dies. */
static int take_ring(seguro *handle, uint64_t ring_bytes) {
  if (ring_bytes > 0 && !handle->link.is_memory_wanted) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "shared memory came that was not asked for");
  }
  bool is_needed = handle->options.transport == SEGURO_TRANSPORT_RING && !handle->was_opened;
  if (ring_bytes == 0) {
    handle->link.is_memory_wanted = false;
    return is_needed ? seguro_session_fail(handle, SEGURO_ERR_UNSUPPORTED, "the sidecar refuses shared memory") : 0;
  }
  const char *fault = seguro_ring_attach_link(&handle->link, ring_bytes);
  if (fault == NULL) {
    handle->transport = &seguro_transport_ring;
    /* What came behind OPENED are doorbells, and the ring is looked at anyway. */
    seguro_buffer_clear(&handle->receive);
    return 0;
  }
  if (is_needed) {
    return seguro_session_fail(handle, SEGURO_ERR_UNSUPPORTED, "shared memory cannot be used: %s", fault);
  }
  handle->is_ring_given_up = true;
  return seguro_session_lose(handle, SEGURO_ERR_CONNECT, "shared memory cannot be used: %s", fault);
}

int seguro_handshake_opened(seguro *handle, const seguro_reply_opened *opened) {
  int code = check_verdict(handle, opened);
  if (code == 0 && handle->was_opened) {
    code = check_continues(handle, opened);
  }
  if (code == 0 && handle->options.kind != SEGURO_KIND_EITHER && opened->kind != handle->options.kind) {
    code = seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "the sidecar opened a ship of the other kind");
  }
  if (code == 0 && handle->options.role == SEGURO_ROLE_WRITE && !seguro_send_repeat(handle, opened->height)) {
    code = seguro_session_fail(handle, SEGURO_ERR_DIVERGED, "the log ends at event %llu, inside an atomic batch of ours",
                               (unsigned long long)opened->height);
  }
  if (code == 0) {
    code = take_ring(handle, opened->ring_bytes);
  }
  if (code != 0 || handle->state != SEGURO_STATE_OPENING) {
    return code;
  }
  seguro_info *info = &handle->info;
  info->log = opened->log;
  info->kind = opened->kind;
  info->epoch = opened->epoch;
  info->event_bytes_max = opened->event_bytes_max;
  info->batch_bytes_max = opened->batch_bytes_max;
  if (!handle->was_opened) {
    info->verdict = opened->verdict;
  }
  /* A writer's height rises by acknowledgements alone: what the log holds of the unacknowledged is compared first, by
   * sending it again. */
  if (!handle->was_opened || handle->options.role == SEGURO_ROLE_READ) {
    info->base = opened->base;
    info->height = opened->height;
  }
  if (opened->digest_id > 0 && opened->digest_id >= info->digest_id && opened->digest_id <= info->height) {
    info->digest_id = opened->digest_id;
    memcpy(info->digest, opened->digest, SEGURO_DIGEST_SIZE);
  }
  handle->session_height = opened->height;
  handle->was_opened = true;
  handle->generation++;
  handle->transport_name = handle->transport->name;
  handle->state = SEGURO_STATE_READY;
  return seguro_readers_resume(handle);
}
