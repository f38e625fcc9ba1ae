/* Helpers of the client's tests. */
#include "client_helpers.h"

#include <poll.h>
#include <string.h>

#include "check.h"

seguro_options writer_options(void) {
  seguro_options options = {.size_bytes = sizeof options, .role = SEGURO_ROLE_WRITE};
  return options;
}

seguro *open_with(fake_server *server, const seguro_options *options) {
  seguro *handle = NULL;
  seguro_error error;
  int code = seguro_open(&handle, server->path, "~zod", options, &error);
  if (code != 0) {
    fprintf(stderr, "%s: %s\n", seguro_strerror(code), error.text);
  }
  CHECK_EQUAL(code, 0);
  return handle;
}

seguro *open_writer(fake_server *server) {
  seguro_options options = writer_options();
  return open_with(server, &options);
}

seguro *open_reader(fake_server *server) {
  seguro_options options = {.size_bytes = sizeof options, .role = SEGURO_ROLE_READ};
  return open_with(server, &options);
}

void append_event(seguro *handle, uint64_t id, uint64_t length_bytes) {
  uint8_t *payload = fake_payload(id, length_bytes);
  CHECK_EQUAL(seguro_append(handle, id, payload, length_bytes, 20000), 0);
  free(payload);
}

void fill_log(fake_server *server, uint64_t first_id, uint64_t last_id, uint64_t factor, uint64_t modulus) {
  fake_lock(server);
  for (uint64_t id = first_id; id <= last_id; id++) {
    uint8_t *payload = fake_payload(id, (id * factor) % modulus);
    fake_put(server, id, payload, (id * factor) % modulus);
    free(payload);
  }
  fake_unlock(server);
}

void check_log(fake_server *server, uint64_t first_id, uint64_t last_id) {
  fake_lock(server);
  CHECK_EQUAL(server->base, first_id);
  CHECK_EQUAL(server->count, last_id - first_id + 1);
  for (uint64_t i = 0; i < server->count; i++) {
    const fake_event *event = &server->events[i];
    uint8_t *payload = fake_payload(first_id + i, event->length_bytes);
    CHECK(memcmp(payload, event->bytes, (size_t)event->length_bytes) == 0);
    free(payload);
  }
  fake_unlock(server);
}

void check_event(const seguro_event *event, uint64_t id) {
  CHECK_EQUAL(event->id, id);
  uint8_t *payload = fake_payload(id, event->length_bytes);
  CHECK(memcmp(payload, event->bytes, (size_t)event->length_bytes) == 0);
  free(payload);
}

void wait_until_stored(fake_server *server, seguro *handle, uint64_t id, uint64_t count) {
  bool is_stored = false;
  for (int tries = 0; !is_stored; tries++) {
    CHECK(tries < 1000);
    CHECK_EQUAL(seguro_wait(handle, id, 30), SEGURO_ERR_TIMEOUT);
    fake_lock(server);
    is_stored = server->count == count;
    fake_unlock(server);
  }
}

void wait_for_handle(seguro *handle) {
  struct pollfd watched;
  watched.fd = seguro_fd(handle, &watched.events);
  int64_t timeout_ms = seguro_poll_timeout_ms(handle);
  poll(&watched, 1, timeout_ms < 0 || timeout_ms > 5000 ? 5000 : (int)timeout_ms);
}
