/* Sessions: refused, retried, garbled, cut short, and logs that went wrong while the client was away. */
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "client_helpers.h"
#include "wire/frame.h"

static int open_code(const char *path, const char *ship, int64_t timeout_ms, seguro_error *error) {
  seguro_options options = writer_options();
  options.open_timeout_ms = timeout_ms;
  seguro *handle;
  int code = seguro_open(&handle, path, ship, &options, error);
  CHECK(code < 0 ? handle == NULL : handle != NULL);
  seguro_close(handle);
  return code;
}

/* The code of a refusal that is tried again until the time limit: on a loaded machine the first may not have come by then, and the next try has
 * more time. */
static int open_refused(const char *path, seguro_error *error) {
  int code = SEGURO_ERR_TIMEOUT;
  for (int64_t timeout_ms = 40; code == SEGURO_ERR_TIMEOUT && timeout_ms < 60000; timeout_ms *= 2) {
    code = open_code(path, "~zod", timeout_ms, error);
  }
  return code;
}

static void test_arguments(void) {
  seguro_error error;
  seguro *handle;
  seguro_options options = writer_options();
  CHECK_EQUAL(open_code("/nowhere", "zod", 10, &error), SEGURO_ERR_ARGUMENT);
  CHECK_EQUAL(open_code("/nowhere", "~zod x", 10, &error), SEGURO_ERR_ARGUMENT);
  CHECK_EQUAL(open_code("", "~zod", 10, NULL), SEGURO_ERR_ARGUMENT);
  CHECK_EQUAL(open_code("/nowhere", "~zod", 30, &error), SEGURO_ERR_CONNECT);
  CHECK(strstr(error.text, "No such file") != NULL);
  CHECK_EQUAL(seguro_open(&handle, "/nowhere", "~zod", NULL, &error), SEGURO_ERR_ARGUMENT);
  options.transport = 3;
  CHECK_EQUAL(seguro_open(&handle, "/nowhere", "~zod", &options, &error), SEGURO_ERR_ARGUMENT);
  /* A longer struct is fine as long as what is unknown is zero. */
  struct {
    seguro_options known;
    uint64_t later;
  } longer = {.known = writer_options(), .later = 0};
  longer.known.size_bytes = sizeof longer;
  longer.known.open_timeout_ms = 10;
  CHECK_EQUAL(seguro_open(&handle, "/nowhere", "~zod", &longer.known, &error), SEGURO_ERR_CONNECT);
  longer.later = 1;
  CHECK_EQUAL(seguro_open(&handle, "/nowhere", "~zod", &longer.known, &error), SEGURO_ERR_UNSUPPORTED);
}

static void test_raw(void) {
  static const struct {
    const char *bytes;
    size_t length;
    int code;
  } cases[] = {
      {"SEGURO 0", 9, SEGURO_ERR_VERSION},
      {"SEGURO 0 2 11", 14, SEGURO_ERR_VERSION},
      {"HTTP/1.1 400 Bad Request", 25, SEGURO_ERR_PROTOCOL},
      {"SEGURO 1\0IDENTIFY 2", 20, SEGURO_ERR_PROTOCOL},
      {"SEGURO 1\0IDENTIFY 1\0WELCOME ~nec", 33, SEGURO_ERR_PROTOCOL},
      {"SEGURO 1\0IDENTIFY 1\0WELCOME ~zod 1x", 36, SEGURO_ERR_PROTOCOL},
      {"SEGURO 1\0IDENTIFY 1\0WELCOME ~zod\0ffffffffffffffffffff", 54, SEGURO_ERR_PROTOCOL},
      {"SEGURO 1\0IDENTIFY 1\0WELCOME ~zod\0\0\0", 35, SEGURO_ERR_CONNECT},
      {"SEGURO 1", 5, SEGURO_ERR_CONNECT},
      {"", 0, SEGURO_ERR_CONNECT},
  };
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fake_server server;
    fake_start(&server);
    server.faults.raw = (const uint8_t *)cases[i].bytes;
    server.faults.raw_bytes = cases[i].length;
    seguro_error error;
    bool is_tried_again = cases[i].code == SEGURO_ERR_CONNECT;
    CHECK_EQUAL(is_tried_again ? open_refused(server.path, &error) : open_code(server.path, "~zod", 5000, &error), cases[i].code);
    CHECK_EQUAL(error.code, cases[i].code);
    fake_stop(&server);
  }
  /* A text block that never ends. */
  static uint8_t endless[200];
  memset(endless, 'S', sizeof endless);
  fake_server server;
  fake_start(&server);
  server.faults.raw = endless;
  server.faults.raw_bytes = sizeof endless;
  CHECK_EQUAL(open_code(server.path, "~zod", 5000, NULL), SEGURO_ERR_PROTOCOL);
  fake_stop(&server);
}

static void test_refusals(void) {
  fake_server server;
  fake_start(&server);
  seguro_error error;
  server.faults = (fake_faults){.refuse_count = 3, .refuse_code = 10, .refuse_flags = 3};
  CHECK_EQUAL(open_code(server.path, "~zod", 5000, &error), 0);
  CHECK_EQUAL(server.opens, 4);
  fake_lock(&server);
  server.faults = (fake_faults){.refuse_count = 1000, .refuse_code = 10, .refuse_flags = 3};
  fake_unlock(&server);
  CHECK_EQUAL(open_refused(server.path, &error), SEGURO_ERR_SHIP_BUSY);
  CHECK_EQUAL(error.server_code, 10);
  fake_lock(&server);
  server.faults = (fake_faults){.refuse_count = 1, .refuse_code = 14, .refuse_flags = 1};
  fake_unlock(&server);
  CHECK_EQUAL(open_code(server.path, "~zod", 5000, &error), SEGURO_ERR_SERVER(14));
  CHECK(strstr(seguro_strerror(error.code), "ambiguous") != NULL);
  fake_stop(&server);
}

/* Until the session has ended: what is put into its ring before that may still be taken and acknowledged. */
static void wait_until_gone(fake_server *server, unsigned connections) {
  bool is_gone = false;
  for (int tries = 0; !is_gone && tries < 5000; tries++) {
    usleep(1000);
    fake_lock(server);
    is_gone = server->connection == -1 || server->connections != connections;
    fake_unlock(server);
  }
  CHECK(is_gone);
}

/* What must not pass in silence: the log of the reopened session is not the one that was acknowledged. */
static void test_lost_and_diverged(void) {
  for (int fault = 0; fault < 5; fault++) {
    fake_server server;
    fake_start(&server);
    seguro *handle = open_writer(&server);
    append_event(handle, 1, 100);
    append_event(handle, 2, 100);
    CHECK_EQUAL(seguro_wait(handle, 2, 5000), 0);
    fake_lock(&server);
    if (fault == 0) {
      fake_drop_event(&server);
    } else if (fault == 1) {
      server.events[1].chain ^= 1; /* other bytes, so another digest */
    } else if (fault == 2) {
      fake_put(&server, 3, "foreign", 7);
      fake_put(&server, 4, "foreign", 7);
    } else if (fault == 3) {
      fake_put(&server, 3, "foreign", 7);
    } else {
      server.faults.refuse_log = 2;
    }
    unsigned connections = server.connections;
    fake_unlock(&server);
    fake_hang_up(&server);
    wait_until_gone(&server, connections);
    append_event(handle, 3, 100);
    static const int expected[] = {SEGURO_ERR_LOST, SEGURO_ERR_DIVERGED, SEGURO_ERR_DIVERGED, SEGURO_ERR_APPEND_CONFLICT, SEGURO_ERR_LOST};
    CHECK_EQUAL(seguro_wait(handle, 3, 5000), expected[fault]);
    CHECK_EQUAL(seguro_height(handle), 2);
    CHECK_EQUAL(seguro_flush(handle), expected[fault]);
    CHECK_EQUAL(seguro_fd(handle, NULL), -1);
    seguro_close(handle);
    fake_stop(&server);
  }
}

static void test_named_pair(void) {
  fake_server server;
  fake_start(&server);
  fill_log(&server, 1, 10, 3, 50);
  seguro_options options = writer_options();
  options.last_id = 8;
  seguro *handle = open_with(&server, &options);
  seguro_info info;
  seguro_get_info(handle, &info);
  CHECK_EQUAL(info.verdict, SEGURO_VERDICT_BEHIND);
  CHECK_EQUAL(info.height, 10);
  CHECK_EQUAL(info.kind, SEGURO_KIND_REAL);
  CHECK_EQUAL(seguro_next_id(handle), 11);
  seguro_close(handle);
  seguro_error error;
  options.last_id = 11;
  CHECK_EQUAL(seguro_open(&handle, server.path, "~zod", &options, &error), SEGURO_ERR_LOST);
  options.last_id = 9;
  options.last_digest[3] = 1;
  CHECK_EQUAL(seguro_open(&handle, server.path, "~zod", &options, &error), SEGURO_ERR_DIVERGED);
  fake_stop(&server);
}

static void test_never_and_limited_reconnect(void) {
  for (int round = 0; round < 2; round++) {
    fake_server server;
    fake_start(&server);
    seguro_options options = writer_options();
    options.reconnect_timeout_ms = round == 0 ? SEGURO_NEVER : 60;
    seguro *handle = open_with(&server, &options);
    append_event(handle, 1, 10);
    CHECK_EQUAL(seguro_wait(handle, 1, 5000), 0);
    fake_stop(&server);
    append_event(handle, 2, 10);
    CHECK_EQUAL(seguro_wait(handle, 2, 5000), SEGURO_ERR_CONNECT);
    seguro_close(handle);
  }
}

static void note_stall(void *context, const seguro_stall *stall) {
  if (strcmp(stall->waiting_for, "the session to open") == 0) {
    return; /* a machine that is loaded may take its time for that as well */
  }
  CHECK(stall->waited_ms >= 1000 && stall->id == 1 && stall->is_connected);
  CHECK(strcmp(stall->waiting_for, "the acknowledgement of an event") == 0);
  ++*(int *)context;
}

static void test_stall(void) {
  fake_server server;
  fake_start(&server);
  server.faults.is_mute = true;
  int stalls = 0;
  seguro_options options = writer_options();
  options.on_stall = note_stall;
  options.context = &stalls;
  seguro *handle = open_with(&server, &options);
  append_event(handle, 1, 10);
  CHECK_EQUAL(seguro_wait(handle, 1, 1300), SEGURO_ERR_TIMEOUT);
  CHECK_EQUAL(stalls, 1);
  seguro_close(handle);
  fake_stop(&server);
}

int main(void) {
  RUN(test_arguments);
  RUN(test_raw);
  RUN(test_refusals);
  RUN(test_lost_and_diverged);
  RUN(test_named_pair);
  RUN(test_never_and_limited_reconnect);
  RUN(test_stall);
  return 0;
}
