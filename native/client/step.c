/* Steps: the one loop below every call, blocking or not, with the patience of the blocking ones. */
#include <poll.h>

#include "internal.h"

#define WAIT_MAX_MS 3600000

static const int64_t stall_after_ms[] = {1000, 10000, 60000};
#define STALL_COUNT (sizeof stall_after_ms / sizeof stall_after_ms[0])

static int wait_bounded(int64_t now_ms, int64_t until_ms) {
  int64_t wait_ms = until_ms - now_ms;
  return wait_ms <= 0 ? 0 : wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)wait_ms;
}

static int step_offline(seguro *handle, int64_t until_ms) {
  int64_t now_ms = seguro_clock_ms();
  if (now_ms < handle->retry_at_ms) {
    int64_t wake_ms = until_ms < handle->retry_at_ms ? until_ms : handle->retry_at_ms;
    if (wake_ms > now_ms) {
      poll(NULL, 0, wait_bounded(now_ms, wake_ms));
    }
    return 0;
  }
  return seguro_connect_try(handle);
}

static bool is_handshake(const seguro *handle) { return handle->state >= SEGURO_STATE_OFFER && handle->state < SEGURO_STATE_READY; }

static void wait_for_socket(seguro *handle, int64_t until_ms) {
  int64_t now_ms = seguro_clock_ms();
  if (is_handshake(handle) && handle->handshake_until_ms < until_ms) {
    until_ms = handle->handshake_until_ms;
  }
  int wait_ms = wait_bounded(now_ms, until_ms);
  if (wait_ms > 0) {
    handle->transport->wait(&handle->link, seguro_send_is_wanted(handle), wait_ms);
  }
}

/* Does what can be done now, and waits for the socket until until_ms (0: not at all) when nothing can. Returns 0 or the
 * permanent code. */
int seguro_step(seguro *handle, int64_t until_ms) {
  if (handle->state == SEGURO_STATE_FAILED) {
    return handle->failure;
  }
  if (handle->state == SEGURO_STATE_OFFLINE) {
    int code = step_offline(handle, until_ms);
    if (code < 0 || handle->state == SEGURO_STATE_OFFLINE) {
      return code;
    }
  }
  int sent = seguro_send_step(handle);
  if (sent < 0 || handle->state == SEGURO_STATE_OFFLINE) {
    return sent < 0 ? sent : 0;
  }
  /* Having just sent, or having taken all there was, an answer cannot be there yet: then wait first and receive once.
   */
  bool is_likely = sent == 0 && !handle->is_drained;
  if (until_ms > 0 && !is_likely) {
    wait_for_socket(handle, until_ms);
  }
  int64_t received = seguro_receive_step(handle);
  if (received < 0) {
    return (int)received;
  }
  if (received == 0 && is_handshake(handle) && seguro_clock_ms() >= handle->handshake_until_ms) {
    return seguro_session_lose(handle, SEGURO_ERR_CONNECT, "the sidecar did not answer the handshake in time");
  }
  return 0;
}

void seguro_patience_begin(seguro_patience *patience, int64_t timeout_ms, const char *waiting_for, uint64_t id) {
  patience->started_ms = seguro_clock_ms();
  patience->until_ms = seguro_clock_deadline(patience->started_ms, timeout_ms);
  patience->reported = 0;
  patience->waiting_for = waiting_for;
  patience->id = id;
}

static void report_stall(seguro *handle, seguro_patience *patience, int64_t now_ms) {
  while (patience->reported < STALL_COUNT && now_ms - patience->started_ms >= stall_after_ms[patience->reported]) {
    patience->reported++;
    if (handle->options.on_stall != NULL) {
      seguro_stall stall = {.waited_ms = (uint64_t)(now_ms - patience->started_ms),
                            .waiting_for = patience->waiting_for,
                            .id = patience->id,
                            .is_connected = handle->state == SEGURO_STATE_READY,
                            .cause = &handle->error};
      handle->options.on_stall(handle->options.context, &stall);
    }
  }
}

/* One step of a blocking call. Returns 0 to look again, SEGURO_ERR_TIMEOUT, or the permanent code. */
int seguro_patience_step(seguro *handle, seguro_patience *patience) {
  int64_t until_ms = patience->until_ms;
  if (patience->reported < STALL_COUNT) {
    int64_t report_ms = patience->started_ms + stall_after_ms[patience->reported];
    until_ms = report_ms < until_ms ? report_ms : until_ms;
  }
  int code = seguro_step(handle, until_ms);
  if (code < 0) {
    return code;
  }
  int64_t now_ms = seguro_clock_ms();
  report_stall(handle, patience, now_ms);
  return now_ms >= patience->until_ms ? SEGURO_ERR_TIMEOUT : 0;
}

int seguro_poll(seguro *handle) {
  if (handle == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  int code;
  uint64_t generation;
  seguro_state state;
  /* The caller has seen the descriptor speak, or is about to wait for it. */
  handle->link.ring.is_socket_due = true;
  do {
    generation = handle->generation;
    state = handle->state;
    code = seguro_step(handle, 0);
    /* Go on while something moves: a state of the handshake, or a receive that left bytes behind. */
  } while (code == 0 && handle->state != SEGURO_STATE_OFFLINE &&
           (handle->state != state || handle->generation != generation || !handle->is_drained));
  if (code == 0 && handle->state == SEGURO_STATE_READY && handle->transport->arm != NULL) {
    handle->transport->arm(&handle->link, seguro_send_is_wanted(handle));
  }
  return code;
}

int seguro_fd(const seguro *handle, short *poll_events) {
  if (poll_events != NULL) {
    bool is_room_told = handle->transport->arm != NULL;
    *poll_events = (short)(POLLIN | (!is_room_told && seguro_send_is_wanted(handle) ? POLLOUT : 0));
  }
  return handle->link.fd;
}

int64_t seguro_poll_timeout_ms(const seguro *handle) {
  if (handle->state == SEGURO_STATE_READY && handle->transport->arm != NULL &&
      !handle->transport->is_armed(&handle->link, seguro_send_is_wanted(handle))) {
    return 0;
  }
  if (handle->state == SEGURO_STATE_READY || handle->state == SEGURO_STATE_FAILED) {
    return SEGURO_FOREVER;
  }
  int64_t due_ms = handle->state == SEGURO_STATE_OFFLINE ? handle->retry_at_ms : handle->handshake_until_ms;
  int64_t left_ms = due_ms - seguro_clock_ms();
  return left_ms < 0 ? 0 : left_ms;
}
