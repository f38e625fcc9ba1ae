/* Appending: pipelined, atomic, over lost connections, with the log compared at the end. */
#include <string.h>

#include "check.h"
#include "client_helpers.h"

static void test_one_at_a_time(void) {
  fake_server server;
  fake_start(&server);
  seguro *handle = open_writer(&server);
  CHECK_EQUAL(seguro_next_id(handle), 0);
  for (uint64_t id = 1; id <= 50; id++) {
    append_event(handle, id, id * 3);
    CHECK_EQUAL(seguro_wait(handle, id, 5000), 0);
    CHECK_EQUAL(seguro_height(handle), id);
  }
  CHECK_EQUAL(server.append_frames, 50);
  CHECK_EQUAL(seguro_unacknowledged_bytes(handle), 0);
  seguro_info info;
  seguro_get_info(handle, &info);
  CHECK_EQUAL(info.base, 1);
  CHECK_EQUAL(info.digest_id, 50);
  seguro_close(handle);
  check_log(&server, 1, 50);
  fake_stop(&server);
}

static void test_pipelined_first_id(void) {
  fake_server server;
  fake_start(&server);
  seguro *handle = open_writer(&server);
  for (uint64_t id = 1000; id < 6000; id++) {
    append_event(handle, id, id % 700);
  }
  CHECK_EQUAL(seguro_wait(handle, 5999, 10000), 0);
  CHECK(server.append_frames < 100);
  seguro_close(handle);
  check_log(&server, 1000, 5999);
  fake_stop(&server);
}

static void test_order(void) {
  fake_server server;
  fake_start(&server);
  seguro *handle = open_writer(&server);
  CHECK_EQUAL(seguro_append(handle, 0, "x", 1, 0), SEGURO_ERR_ARGUMENT);
  append_event(handle, 5, 10);
  CHECK_EQUAL(seguro_append(handle, 7, "x", 1, 0), SEGURO_ERR_ORDER);
  CHECK_EQUAL(seguro_append(handle, 5, "x", 1, 0), SEGURO_ERR_ORDER);
  CHECK_EQUAL(seguro_wait(handle, 6, 0), SEGURO_ERR_ARGUMENT);
  append_event(handle, 6, 10);
  CHECK_EQUAL(seguro_wait(handle, 6, 5000), 0);
  /* A repeat with the same bytes is acknowledged again, with others it ends the handle. */
  append_event(handle, 5, 10);
  CHECK_EQUAL(seguro_wait(handle, 5, 5000), 0);
  CHECK_EQUAL(server.repeats, 1);
  append_event(handle, 6, 10);
  append_event(handle, 7, 10);
  CHECK_EQUAL(seguro_wait(handle, 7, 5000), 0);
  CHECK_EQUAL(seguro_append(handle, 6, "other", 5, 0), 0);
  CHECK_EQUAL(seguro_wait(handle, 6, 5000), SEGURO_ERR_APPEND_CONFLICT);
  CHECK_EQUAL(seguro_append(handle, 8, "x", 1, 0), SEGURO_ERR_APPEND_CONFLICT);
  const seguro_error *error = seguro_last_error(handle);
  CHECK(strcmp(error->name, "append-conflict") == 0 && strcmp(error->hint, "a hint") == 0);
  CHECK(strchr(error->text, '\x1b') == NULL && error->id == 77);
  seguro_close(handle);
  check_log(&server, 5, 7);
  fake_stop(&server);
}

static void test_atomic(void) {
  fake_server server;
  fake_start(&server);
  seguro *handle = open_writer(&server);
  append_event(handle, 1, 5);
  enum { COUNT = 40 };
  const void *bytes[COUNT];
  uint64_t lengths[COUNT];
  for (unsigned i = 0; i < COUNT; i++) {
    lengths[i] = i * 4000;
    bytes[i] = fake_payload(2 + i, lengths[i]);
  }
  fake_lock(&server);
  server.faults.drop_after_frames = 3; /* BATCH and a part of it came, then the connection went */
  fake_unlock(&server);
  CHECK_EQUAL(seguro_append_atomic(handle, 2, COUNT, bytes, lengths, 5000), 0);
  append_event(handle, 42, 9);
  CHECK_EQUAL(seguro_wait(handle, 42, 10000), 0);
  CHECK_EQUAL(server.connections, 2);
  /* All of it again is acknowledged again; in part it is refused before it is sent. */
  CHECK_EQUAL(seguro_append_atomic(handle, 2, COUNT, bytes, lengths, 5000), 0);
  CHECK_EQUAL(seguro_wait(handle, 41, 5000), 0);
  CHECK_EQUAL(seguro_append_atomic(handle, 41, 3, bytes, lengths, 5000), SEGURO_ERR_BATCH_STRADDLES);
  seguro_close(handle);
  for (unsigned i = 0; i < COUNT; i++) {
    free((void *)(uintptr_t)bytes[i]);
  }
  check_log(&server, 1, 42);
  fake_stop(&server);
}

static void test_large(void) {
  fake_server server;
  fake_start(&server);
  seguro_options options = writer_options();
  options.buffer_bytes = 1000; /* smaller than one event: it passes alone */
  seguro *handle = open_with(&server, &options);
  append_event(handle, 1, 5000000);
  append_event(handle, 2, 10);
  append_event(handle, 3, 3000001);
  CHECK_EQUAL(seguro_wait(handle, 3, 20000), 0);
  seguro_close(handle);
  check_log(&server, 1, 3);
  fake_stop(&server);
}

static void test_full_buffer(void) {
  fake_server server;
  fake_start(&server);
  server.faults.is_mute = true;
  seguro_options options = writer_options();
  options.buffer_bytes = 10000;
  seguro *handle = open_with(&server, &options);
  uint8_t *payload = fake_payload(1, 6000);
  CHECK_EQUAL(seguro_append(handle, 1, payload, 6000, 0), 0);
  CHECK_EQUAL(seguro_append(handle, 2, payload, 6000, 30), SEGURO_ERR_TIMEOUT);
  CHECK_EQUAL(seguro_next_id(handle), 2);
  wait_until_stored(&server, handle, 1, 1);
  free(payload);
  fake_lock(&server);
  server.faults.is_mute = false;
  fake_unlock(&server);
  fake_hang_up(&server);
  CHECK_EQUAL(seguro_wait(handle, 1, 5000), 0);
  CHECK_EQUAL(server.repeats, 1);
  seguro_close(handle);
  fake_stop(&server);
}

/* Connections end at every possible moment: nothing is lost, nothing doubled, and what was stored twice was compared.
 */
static void test_reconnects(void) {
  fake_server server;
  fake_start(&server);
  seguro *handle = open_writer(&server);
  uint64_t id = 1;
  for (unsigned round = 0; round < 60; round++) {
    fake_lock(&server);
    if (round % 3 == 0) {
      server.faults.drop_after_records = 1 + round % 17;
    } else if (round % 3 == 1) {
      server.faults.drop_after_frames = 1 + round % 5;
    } else {
      server.faults.drop_after_written = 1 + round;
    }
    fake_unlock(&server);
    for (unsigned i = 0; i < 40; i++, id++) {
      append_event(handle, id, (id * 37) % 9000);
    }
    CHECK_EQUAL(seguro_wait(handle, id - 1, 20000), 0);
  }
  CHECK(server.connections > 20 && server.repeats > 0);
  seguro_close(handle);
  check_log(&server, 1, id - 1);
  fake_stop(&server);
}

/* The log holds all three, unacknowledged, but the last with other bytes: then none of them may be acknowledged after
 * the reconnect, although the sidecar names the log's height as soon as it has compared the first. */
static void test_conflict_behind_repeats(void) {
  fake_server server;
  fake_start(&server);
  server.faults.is_mute = true;
  seguro *handle = open_writer(&server);
  for (uint64_t id = 1; id <= 3; id++) {
    append_event(handle, id, 20000);
  }
  wait_until_stored(&server, handle, 3, 3);
  fake_lock(&server);
  server.events[2].bytes[0] ^= 1;
  server.faults.is_mute = false;
  fake_unlock(&server);
  fake_hang_up(&server);
  CHECK_EQUAL(seguro_wait(handle, 1, 5000), SEGURO_ERR_APPEND_CONFLICT);
  CHECK_EQUAL(seguro_height(handle), 0);
  seguro_close(handle);
  fake_stop(&server);
}

static void count_height(void *context, uint64_t height) { *(uint64_t *)context = height; }

static void test_poll(void) {
  fake_server server;
  fake_start(&server);
  uint64_t told = 0;
  seguro_options options = writer_options();
  options.on_height = count_height;
  options.context = &told;
  seguro *handle = open_with(&server, &options);
  for (unsigned round = 0; round < 20; round++) {
    append_event(handle, round + 1, 1000 + 40000 * (round % 4));
    if (round == 10) {
      fake_hang_up(&server);
    }
    while (told < round + 1) {
      CHECK_EQUAL(seguro_poll(handle), 0);
      if (told < round + 1) {
        wait_for_handle(handle);
      }
    }
  }
  CHECK_EQUAL(server.connections, 2);
  seguro_close(handle);
  check_log(&server, 1, 20);
  fake_stop(&server);
}

int main(void) {
  RUN(test_one_at_a_time);
  RUN(test_pipelined_first_id);
  RUN(test_order);
  RUN(test_atomic);
  RUN(test_large);
  RUN(test_full_buffer);
  RUN(test_reconnects);
  RUN(test_conflict_behind_repeats);
  RUN(test_poll);
  return 0;
}
