/* Connections: begun, lost, and tried again with growing, jittered pauses. Also where a session ends for good. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define HANDSHAKE_TIMEOUT_MS 30000
#define BACKOFF_FIRST_MS 4
#define BACKOFF_MAX_MS 1000
#define BACKOFF_DOUBLINGS_MAX 8

/* Before the first session these mean a wrong path or right; afterwards a restart may pass through them. */
static bool is_hopeless(int reason) {
  return reason == EACCES || reason == EPERM || reason == ENOTDIR || reason == ELOOP || reason == ENAMETOOLONG || reason == EPROTOTYPE ||
         reason == ENOTSOCK;
}

static void schedule_retry(seguro *handle) {
  unsigned doublings = handle->attempts < BACKOFF_DOUBLINGS_MAX ? handle->attempts : BACKOFF_DOUBLINGS_MAX;
  int64_t pause_ms = (int64_t)BACKOFF_FIRST_MS << doublings;
  if (pause_ms > BACKOFF_MAX_MS) {
    pause_ms = BACKOFF_MAX_MS;
  }
  handle->attempts++;
  /* Between half and all of it, so that the clients of a restarted sidecar do not come back in step. */
  int64_t jitter_ms = (int64_t)(seguro_random_next(handle) % (uint64_t)(pause_ms / 2 + 1));
  handle->retry_at_ms = seguro_clock_ms() + pause_ms / 2 + jitter_ms;
}

void seguro_session_end(seguro *handle, bool is_permanent) {
  bool was_ready = handle->state == SEGURO_STATE_READY;
  if (handle->link.fd >= 0) {
    handle->transport->close(&handle->link);
  }
  handle->transport = &seguro_transport_stream;
  handle->link.is_memory_wanted = false;
  seguro_buffer_clear(&handle->receive);
  handle->body_left = 0;
  handle->body_reader = NULL;
  handle->is_drained = true;
  seguro_send_rewind(handle);
  seguro_readers_lose(handle);
  if (was_ready) {
    handle->lost_at_ms = seguro_clock_ms();
  }
  if (is_permanent || (handle->was_opened && handle->options.reconnect_timeout_ms == SEGURO_NEVER)) {
    handle->state = SEGURO_STATE_FAILED;
    handle->failure = handle->error.code;
    return;
  }
  handle->state = SEGURO_STATE_OFFLINE;
  schedule_retry(handle);
}

/* Says why in the handle's error, and ends the session for now or for good. */
static int end_because(seguro *handle, int code, bool is_permanent, const char *format, va_list arguments) {
  char text[sizeof handle->error.text];
  vsnprintf(text, sizeof text, format, arguments);
  seguro_error_set(handle, code, 0, "%s", text);
  seguro_session_end(handle, is_permanent);
  return handle->failure;
}

int seguro_session_lose(seguro *handle, int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int failure = end_because(handle, code, false, format, arguments);
  va_end(arguments);
  return failure;
}

int seguro_session_fail(seguro *handle, int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int failure = end_because(handle, code, true, format, arguments);
  va_end(arguments);
  return failure;
}

static int give_up(seguro *handle, int64_t now_ms) {
  char cause[sizeof handle->error.text];
  snprintf(cause, sizeof cause, "%s", handle->error.text);
  return seguro_session_fail(handle, SEGURO_ERR_CONNECT, "no session for %lld ms; last: %.200s", (long long)(now_ms - handle->lost_at_ms),
                             cause);
}

/* One attempt. Returns 0 (connected, or to be tried again later) or a permanent code. */
int seguro_connect_try(seguro *handle) {
  int64_t now_ms = seguro_clock_ms();
  int64_t patience_ms = handle->options.reconnect_timeout_ms;
  if (handle->was_opened && patience_ms >= 0 && now_ms - handle->lost_at_ms >= patience_ms) {
    return give_up(handle, now_ms);
  }
  int refused = seguro_stream_connect(&handle->link, handle->path);
  if (refused == 0) {
    handle->state = SEGURO_STATE_OFFER;
    handle->handshake_until_ms = now_ms + HANDSHAKE_TIMEOUT_MS;
    return 0;
  }
  if (!handle->was_opened && is_hopeless(-refused)) {
    return seguro_session_fail(handle, SEGURO_ERR_CONNECT, "cannot connect to %s: %s", handle->path, strerror(-refused));
  }
  seguro_session_lose(handle, SEGURO_ERR_CONNECT, "cannot connect to %s: %s", handle->path, strerror(-refused));
  return handle->failure;
}
