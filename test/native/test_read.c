/* Reading: pieces split everywhere, windows smaller than events, live tails, damage, and lost connections in between.
 */
#include <string.h>

#include "check.h"
#include "client_helpers.h"

static uint64_t read_all(seguro_reader *reader, uint64_t first_id) {
  seguro_event event;
  uint64_t id = first_id;
  int code;
  while ((code = seguro_reader_next(reader, &event, 10000)) == 1) {
    check_event(&event, id);
    id++;
  }
  CHECK_EQUAL(code, 0);
  CHECK_EQUAL(seguro_reader_next(reader, &event, 10000), 0);
  return id - first_id;
}

static seguro *open_window(fake_server *server, uint64_t window_bytes) {
  seguro_options options = {.size_bytes = sizeof options, .role = SEGURO_ROLE_READ, .read_window_bytes = window_bytes};
  return open_with(server, &options);
}

/* Bodies of every length from 8 bytes on, and the socket written in pieces: a record begins and ends anywhere. */
static void test_splits(void) {
  for (uint32_t piece = 8; piece <= 160; piece += 8) {
    for (size_t written = 1; written < 60; written += 13) {
      fake_server server;
      fake_start(&server);
      fill_log(&server, 7, 36, 5, 90);
      server.faults.piece_bytes = piece;
      server.faults.write_bytes = written;
      seguro *handle = open_window(&server, 64 + piece);
      seguro_reader *reader;
      CHECK_EQUAL(seguro_reader_open(&reader, handle, 1, 0, 0), 0);
      CHECK_EQUAL(read_all(reader, 7), 30);
      seguro_reader_close(reader);
      seguro_close(handle);
      fake_stop(&server);
    }
  }
}

static void test_large_events(void) {
  fake_server server;
  fake_start(&server);
  fill_log(&server, 1, 6, 1234567, 5000000);
  seguro *handle = open_window(&server, 4096);
  seguro_reader *reader;
  CHECK_EQUAL(seguro_reader_open(&reader, handle, 1, 0, 0), 0);
  CHECK_EQUAL(read_all(reader, 1), 6);
  seguro_reader_close(reader);
  seguro_close(handle);
  fake_stop(&server);
}

static void test_ranges(void) {
  fake_server server;
  fake_start(&server);
  fill_log(&server, 1, 5000, 7, 300);
  seguro *handle = open_reader(&server);
  CHECK_EQUAL(seguro_height(handle), 5000);
  seguro_reader *reader;
  /* Sequential, limited reads, closed without asking for the end: as Vere's walks. */
  for (uint64_t from = 1; from <= 5000; from += 100) {
    CHECK_EQUAL(seguro_reader_open(&reader, handle, from, 100, 0), 0);
    seguro_event event;
    for (uint64_t id = from; id < from + 100; id++) {
      CHECK_EQUAL(seguro_reader_next(reader, &event, 5000), 1);
      check_event(&event, id);
    }
    seguro_reader_close(reader);
  }
  CHECK_EQUAL(seguro_reader_open(&reader, handle, 4991, 50, 0), 0);
  CHECK_EQUAL(read_all(reader, 4991), 10);
  seguro_reader_close(reader);
  CHECK_EQUAL(seguro_reader_open(&reader, handle, 9000, 0, 0), 0);
  CHECK_EQUAL(read_all(reader, 9000), 0);
  seguro_reader_close(reader);
  CHECK_EQUAL(seguro_reader_open(&reader, handle, 0, 0, 0), SEGURO_ERR_ARGUMENT);
  seguro_close(handle);
  fake_stop(&server);
}

/* Many readers closed in mid-read give their places back; two run beside each other. */
static void test_cancel(void) {
  fake_server server;
  fake_start(&server);
  fill_log(&server, 1, 3000, 7, 3000);
  seguro *handle = open_window(&server, 20000);
  seguro_reader *first;
  CHECK_EQUAL(seguro_reader_open(&first, handle, 1, 0, 0), 0);
  seguro_event event;
  for (unsigned i = 0; i < 60; i++) {
    seguro_reader *reader;
    CHECK_EQUAL(seguro_reader_open(&reader, handle, 1 + i, 0, 0), 0);
    for (unsigned j = 0; j < i % 5; j++) {
      CHECK_EQUAL(seguro_reader_next(reader, &event, 5000), 1);
      check_event(&event, 1 + i + j);
    }
    seguro_reader_close(reader);
    CHECK_EQUAL(seguro_reader_next(first, &event, 5000), 1);
    check_event(&event, 1 + i);
  }
  CHECK_EQUAL(read_all(first, 61), 2940);
  CHECK_EQUAL(seguro_ping(handle, 5000), 0);
  seguro_close(handle); /* frees the reader */
  fake_stop(&server);
}

static void test_reconnects(void) {
  fake_server server;
  fake_start(&server);
  fill_log(&server, 1, 2000, 31, 2000);
  seguro *handle = open_window(&server, 30000);
  seguro_reader *reader;
  CHECK_EQUAL(seguro_reader_open(&reader, handle, 1, 1999, 0), 0);
  seguro_event event;
  for (uint64_t id = 1; id <= 1999; id++) {
    if (id % 50 == 0) {
      fake_lock(&server);
      server.faults.drop_after_written = 1 + (id * 7919) % 40000;
      fake_unlock(&server);
    }
    CHECK_EQUAL(seguro_reader_next(reader, &event, 10000), 1);
    check_event(&event, id);
  }
  CHECK_EQUAL(seguro_reader_next(reader, &event, 10000), 0);
  CHECK(server.connections > 10);
  seguro_reader_close(reader);
  seguro_close(handle);
  fake_stop(&server);
}

static void test_tail(void) {
  fake_server server;
  fake_start(&server);
  seguro *writer = open_writer(&server);
  seguro_reader *reader;
  CHECK_EQUAL(seguro_reader_open(&reader, writer, 1, 0, SEGURO_READ_TAIL), 0);
  seguro_event event;
  CHECK_EQUAL(seguro_reader_next(reader, &event, 20), SEGURO_ERR_TIMEOUT);
  for (uint64_t id = 3; id < 40; id++) {
    append_event(writer, id, id * 10);
    CHECK_EQUAL(seguro_wait(writer, id, 5000), 0);
    if (id == 20) {
      fake_hang_up(&server);
    }
    CHECK_EQUAL(seguro_reader_next(reader, &event, 5000), 1);
    check_event(&event, id);
    CHECK_EQUAL(seguro_reader_next(reader, &event, 0), SEGURO_ERR_TIMEOUT);
  }
  CHECK_EQUAL(server.connections, 2);
  seguro_reader_close(reader);
  CHECK_EQUAL(seguro_ping(writer, 5000), 0);
  seguro_close(writer);
  fake_stop(&server);
}

/* A reader of an empty log hears of its height from LIVE, and not where the log begins: a reconnect that says both is no loss. */
static void test_tail_from_empty(void) {
  fake_server server;
  fake_start(&server);
  seguro *handle = open_reader(&server);
  CHECK_EQUAL(seguro_height(handle), 0);
  fill_log(&server, 7, 9, 3, 50);
  seguro_reader *reader;
  seguro_event event;
  CHECK_EQUAL(seguro_reader_open(&reader, handle, 1, 0, SEGURO_READ_TAIL), 0);
  for (uint64_t id = 7; id <= 9; id++) {
    CHECK_EQUAL(seguro_reader_next(reader, &event, 5000), 1);
    check_event(&event, id);
  }
  CHECK_EQUAL(seguro_reader_next(reader, &event, 20), SEGURO_ERR_TIMEOUT);
  CHECK_EQUAL(seguro_height(handle), 9);
  fake_hang_up(&server);
  CHECK_EQUAL(seguro_ping(handle, 5000), 0);
  fill_log(&server, 10, 10, 3, 50);
  fake_hang_up(&server);
  CHECK_EQUAL(seguro_reader_next(reader, &event, 5000), 1);
  check_event(&event, 10);
  seguro_info info;
  seguro_get_info(handle, &info);
  CHECK_EQUAL(info.base, 7);
  seguro_close(handle);
  fake_stop(&server);
}

static void test_faults(void) {
  fake_server server;
  fake_start(&server);
  fill_log(&server, 1, 100, 7, 300);
  seguro_event event;
  for (int fault = 0; fault < 4; fault++) {
    fake_lock(&server);
    server.faults = (fake_faults){
        .is_crc_broken = fault == 0, .skip_id = fault == 1 ? 50 : 0, .is_end_early = fault == 2, .is_over_credit = fault == 3};
    fake_unlock(&server);
    seguro *handle = open_window(&server, 1000);
    seguro_reader *reader;
    CHECK_EQUAL(seguro_reader_open(&reader, handle, 1, 0, 0), 0);
    int code;
    while ((code = seguro_reader_next(reader, &event, 5000)) == 1) {
    }
    static const int expected[] = {SEGURO_ERR_CHECKSUM, SEGURO_ERR_PROTOCOL, SEGURO_ERR_LOST, SEGURO_ERR_PROTOCOL};
    CHECK_EQUAL(code, expected[fault]);
    CHECK_EQUAL(seguro_reader_next(reader, &event, 0), expected[fault]);
    seguro_reader_close(reader);
    seguro_close(handle);
  }
  fake_stop(&server);
}

int main(void) {
  RUN(test_splits);
  RUN(test_large_events);
  RUN(test_ranges);
  RUN(test_cancel);
  RUN(test_reconnects);
  RUN(test_tail);
  RUN(test_tail_from_empty);
  RUN(test_faults);
  return 0;
}
