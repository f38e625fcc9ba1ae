/* libseguro over shared memory: asked for, refused, unusable, lost, without system calls, and in an event loop. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "client_helpers.h"

/* Linked with --wrap: system calls of this thread, so those of the test sidecar's thread do not count. */
static __thread unsigned system_calls;
ssize_t __real_send(int fd, const void *bytes, size_t length_bytes, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t length_bytes, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
int __real_poll(struct pollfd *watched, nfds_t count, int timeout_ms);
ssize_t __wrap_send(int fd, const void *bytes, size_t length_bytes, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t length_bytes, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
int __wrap_poll(struct pollfd *watched, nfds_t count, int timeout_ms);

ssize_t __wrap_send(int fd, const void *bytes, size_t length_bytes, int flags) {
  system_calls++;
  return __real_send(fd, bytes, length_bytes, flags);
}
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
  system_calls++;
  return __real_sendmsg(fd, message, flags);
}
ssize_t __wrap_recv(int fd, void *bytes, size_t length_bytes, int flags) {
  system_calls++;
  return __real_recv(fd, bytes, length_bytes, flags);
}
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags) {
  system_calls++;
  return __real_recvmsg(fd, message, flags);
}
int __wrap_poll(struct pollfd *watched, nfds_t count, int timeout_ms) {
  system_calls++;
  return __real_poll(watched, count, timeout_ms);
}

static void start(fake_server *server, uint64_t ring_bytes, fake_ring_fault fault) {
  fake_start(server);
  server->ring_bytes = ring_bytes;
  server->ring_fault = fault;
}

static int open_as(fake_server *server, int transport, seguro **handle, seguro_error *error) {
  seguro_options options = writer_options();
  options.transport = transport;
  options.open_timeout_ms = 3000;
  return seguro_open(handle, server->path, "~zod", &options, error);
}

static void test_choice(void) {
  static const struct {
    int transport;
    const char *name;
  } cases[] = {{SEGURO_TRANSPORT_AUTO, "ring"}, {SEGURO_TRANSPORT_RING, "ring"}, {SEGURO_TRANSPORT_STREAM, "stream"}};
  for (unsigned i = 0; i < 3; i++) {
    fake_server server;
    start(&server, 65536, FAKE_RING_GOOD);
    seguro *handle;
    seguro_error error;
    CHECK_EQUAL(open_as(&server, cases[i].transport, &handle, &error), 0);
    CHECK(strcmp(seguro_transport_name(handle), cases[i].name) == 0);
    append_event(handle, 1, 1000);
    CHECK_EQUAL(seguro_wait(handle, 1, 5000), 0);
    seguro_close(handle);
    CHECK_EQUAL(server.rings, i < 2 ? 1 : 0);
    fake_stop(&server);
  }
}

/* Whatever is wrong with the memory: AUTO goes on over the stream, RING says why. */
static void test_fallback(void) {
  static const fake_ring_fault faults[] = {FAKE_RING_REFUSED,   FAKE_RING_UNKNOWN,    FAKE_RING_NO_DESCRIPTOR, FAKE_RING_NO_SEALS,
                                           FAKE_RING_FEW_SEALS, FAKE_RING_WRONG_SIZE, FAKE_RING_WRONG_LAYOUT};
  for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    fake_server server;
    start(&server, 65536, faults[i]);
    seguro *handle;
    seguro_error error;
    CHECK_EQUAL(open_as(&server, SEGURO_TRANSPORT_AUTO, &handle, &error), 0);
    CHECK(strcmp(seguro_transport_name(handle), "stream") == 0);
    append_event(handle, 1, 100);
    CHECK_EQUAL(seguro_wait(handle, 1, 5000), 0);
    seguro_close(handle);
    int code = open_as(&server, SEGURO_TRANSPORT_RING, &handle, &error);
    CHECK_EQUAL(code, faults[i] == FAKE_RING_UNKNOWN ? SEGURO_ERR_SERVER(6) : SEGURO_ERR_UNSUPPORTED);
    CHECK_EQUAL(error.code, code);
    fake_stop(&server);
  }
}

static void test_unasked(void) {
  fake_server server;
  start(&server, 65536, FAKE_RING_UNASKED);
  seguro *handle;
  seguro_error error;
  CHECK_EQUAL(open_as(&server, SEGURO_TRANSPORT_STREAM, &handle, &error), SEGURO_ERR_PROTOCOL);
  fake_stop(&server);
}

static void test_sizes(void) {
  fake_server server;
  start(&server, 65536, FAKE_RING_GOOD);
  seguro_options options = writer_options();
  options.ring_bytes = 100000;
  seguro *handle = open_with(&server, &options);
  seguro_close(handle);
  CHECK_EQUAL(server.wished_bytes, 131072);
  seguro_error error;
  options.ring_bytes = SEGURO_RING_DATA_BYTES_MAX + 1;
  CHECK_EQUAL(seguro_open(&handle, server.path, "~zod", &options, &error), SEGURO_ERR_ARGUMENT);
  options.ring_bytes = 0;
  options.spin_us = 10001;
  CHECK_EQUAL(seguro_open(&handle, server.path, "~zod", &options, &error), SEGURO_ERR_ARGUMENT);
  /* A caller that does not know the two options. */
  options.size_bytes = offsetof(seguro_options, ring_bytes);
  CHECK_EQUAL(seguro_open(&handle, server.path, "~zod", &options, &error), 0);
  seguro_close(handle);
  fake_stop(&server);
}

/* Every session has its own ring; one that is given twice is not taken. */
static void test_reconnect(void) {
  for (int round = 0; round < 2; round++) {
    fake_server server;
    start(&server, 65536, round == 0 ? FAKE_RING_GOOD : FAKE_RING_SAME_GENERATION);
    seguro *handle;
    seguro_error error;
    CHECK_EQUAL(open_as(&server, SEGURO_TRANSPORT_RING, &handle, &error), 0);
    for (uint64_t id = 1; id <= 20; id++) {
      append_event(handle, id, id * 9000);
      if (id % 5 == 0) {
        fake_hang_up(&server);
      }
      CHECK_EQUAL(seguro_wait(handle, id, 5000), 0);
    }
    CHECK(strcmp(seguro_transport_name(handle), round == 0 ? "ring" : "stream") == 0);
    check_log(&server, 1, 20);
    seguro_close(handle);
    CHECK(round == 0 ? server.rings >= 4 : server.rings == 2);
    fake_stop(&server);
  }
}

/* A sidecar that breaks the ring, or ends it, loses the session and nothing else. */
static void test_broken(void) {
  static const fake_ring_fault faults[] = {FAKE_RING_WRONG_HEAD, FAKE_RING_CLOSED};
  for (unsigned i = 0; i < 2; i++) {
    fake_server server;
    start(&server, 65536, faults[i]);
    seguro *handle;
    seguro_error error;
    CHECK_EQUAL(open_as(&server, SEGURO_TRANSPORT_AUTO, &handle, &error), 0);
    append_event(handle, 1, 100);
    CHECK_EQUAL(seguro_wait(handle, 1, 200), SEGURO_ERR_TIMEOUT);
    CHECK(seguro_last_error(handle)->code == SEGURO_ERR_CONNECT);
    fake_lock(&server);
    server.ring_fault = FAKE_RING_GOOD;
    fake_unlock(&server);
    CHECK_EQUAL(seguro_wait(handle, 1, 5000), 0);
    check_log(&server, 1, 1);
    seguro_close(handle);
    fake_stop(&server);
  }
}

/* Doorbells that come behind OPENED before the client has moved to the ring are no frames. */
static void test_early_doorbells(void) {
  fake_server server;
  start(&server, 65536, FAKE_RING_EARLY_DOORBELLS);
  seguro *handle;
  seguro_error error;
  CHECK_EQUAL(open_as(&server, SEGURO_TRANSPORT_RING, &handle, &error), 0);
  append_event(handle, 1, 100);
  CHECK_EQUAL(seguro_wait(handle, 1, 5000), 0);
  seguro_close(handle);
  fake_stop(&server);
}

/* What the sidecar said right before it died is still heard. */
static void test_last_words(void) {
  fake_server server;
  start(&server, 65536, FAKE_RING_GOOD);
  fill_log(&server, 1, 40, 3000, 30000);
  seguro_options options = {.size_bytes = sizeof options, .role = SEGURO_ROLE_READ};
  options.reconnect_timeout_ms = SEGURO_NEVER;
  seguro *handle = open_with(&server, &options);
  seguro_reader *reader;
  CHECK_EQUAL(seguro_reader_open(&reader, handle, 1, 2, 0), 0);
  CHECK_EQUAL(seguro_flush(handle), 0);
  for (int tries = 0; __atomic_load_n(&server.reads_ended, __ATOMIC_ACQUIRE) == 0; tries++) {
    usleep(1000);
    CHECK(tries < 30000);
  }
  fake_hang_up(&server);
  usleep(20000);
  seguro_event event;
  for (uint64_t id = 1; id <= 2; id++) {
    CHECK_EQUAL(seguro_reader_next(reader, &event, 2000), 1);
    check_event(&event, id);
  }
  CHECK_EQUAL(seguro_reader_next(reader, &event, 2000), 0);
  seguro_close(handle);
  fake_stop(&server);
}

/* With a sidecar that does not sleep, appending and flushing makes no system call but the rare look for its death. */
static void test_no_system_calls(void) {
  fake_server server;
  start(&server, 1 << 20, FAKE_RING_GOOD);
  server.is_ring_awake = true;
  seguro *handle = open_writer(&server);
  uint8_t *payload = fake_payload(1, 500);
  append_event(handle, 1, 500);
  CHECK_EQUAL(seguro_wait(handle, 1, 5000), 0);
  system_calls = 0;
  for (uint64_t id = 2; id <= 1001; id++) {
    CHECK_EQUAL(seguro_append(handle, id, payload, 500, 5000), 0);
    CHECK_EQUAL(seguro_flush(handle), 0);
  }
  unsigned calls = system_calls;
  fprintf(stderr, "    %u system calls for 1,000 appends of 500 bytes\n", calls);
  CHECK(calls <= 1000 / 256 + 1);
  CHECK_EQUAL(seguro_wait(handle, 1001, 5000), 0);
  free(payload);
  seguro_close(handle);
  fake_stop(&server);
}

/* Events far above the size of the ring, both ways at once. */
static void test_large(void) {
  fake_server server;
  start(&server, 65536, FAKE_RING_GOOD);
  seguro *handle = open_writer(&server);
  append_event(handle, 1, 5000000);
  append_event(handle, 2, 0);
  append_event(handle, 3, 1);
  append_event(handle, 4, 3000001);
  CHECK_EQUAL(seguro_wait(handle, 4, 20000), 0);
  check_log(&server, 1, 4);
  seguro_reader *reader;
  seguro_event event;
  CHECK_EQUAL(seguro_reader_open(&reader, handle, 1, 0, 0), 0);
  for (uint64_t id = 1; id <= 4; id++) {
    append_event(handle, id + 4, 700000);
    CHECK_EQUAL(seguro_reader_next(reader, &event, 20000), 1);
    check_event(&event, id);
  }
  CHECK_EQUAL(seguro_wait(handle, 8, 20000), 0);
  seguro_close(handle);
  fake_stop(&server);
}

/* An event loop of its own, with calls in between that may disarm the doorbell; nothing may hang. */
static void test_event_loop(void) {
  fake_server server;
  start(&server, 65536, FAKE_RING_GOOD);
  seguro *handle = open_writer(&server);
  uint64_t id = 0;
  unsigned waits = 0;
  while (id < 300) {
    id++;
    append_event(handle, id, id % 50 == 0 ? 400000 : id * 7);
    if (id % 3 == 0) {
      CHECK_EQUAL(seguro_flush(handle), 0);
    }
    if (id % 40 == 0) {
      CHECK_EQUAL(seguro_ping(handle, 5000), 0);
    }
    if (id % 90 == 0) {
      fake_hang_up(&server);
    }
    CHECK_EQUAL(seguro_poll(handle), 0);
    if (id % 60 == 0) {
      CHECK_EQUAL(seguro_ping(handle, 5000), 0);
    }
    while (seguro_height(handle) < id && id % 10 == 0) {
      struct pollfd watched;
      watched.fd = seguro_fd(handle, &watched.events);
      CHECK(watched.fd < 0 || (watched.events & POLLIN) != 0);
      int64_t timeout_ms = seguro_poll_timeout_ms(handle);
      int found = poll(&watched, 1, timeout_ms < 0 ? 5000 : (int)timeout_ms);
      CHECK(found > 0 || timeout_ms >= 0);
      CHECK_EQUAL(seguro_poll(handle), 0);
      waits++;
    }
  }
  CHECK_EQUAL(seguro_wait(handle, 300, 5000), 0);
  CHECK(waits < 5000);
  check_log(&server, 1, 300);
  seguro_close(handle);
  fake_stop(&server);
}

/* seguro_poll reads the doorbells away, so that an event loop comes to rest. */
static void test_rest(void) {
  fake_server server;
  start(&server, 65536, FAKE_RING_GOOD);
  seguro *handle = open_writer(&server);
  for (uint64_t id = 1; id <= 20; id++) {
    append_event(handle, id, 100);
    CHECK_EQUAL(seguro_poll(handle), 0);
    struct pollfd watched;
    watched.fd = seguro_fd(handle, &watched.events);
    /* The answer may have come within that call; if not, it makes the descriptor speak. */
    CHECK(seguro_height(handle) == id || poll(&watched, 1, 5000) == 1);
    unsigned tries = 0;
    while (seguro_height(handle) < id || poll(&watched, 1, 0) > 0) {
      CHECK_EQUAL(seguro_poll(handle), 0);
      usleep(1000);
      tries++;
      /* Few, but for a test sidecar that a loaded machine keeps waiting. */
      CHECK(tries < 5000);
    }
    CHECK_EQUAL(seguro_poll_timeout_ms(handle), SEGURO_FOREVER);
  }
  seguro_close(handle);
  fake_stop(&server);
}

/* An idle handle sleeps: a wait that lasts does not burn the processor. */
static void test_idle(void) {
  fake_server server;
  start(&server, 65536, FAKE_RING_GOOD);
  server.faults.is_mute = true;
  seguro *handle = open_writer(&server);
  append_event(handle, 1, 10);
  clock_t before = clock();
  CHECK_EQUAL(seguro_wait(handle, 1, 400), SEGURO_ERR_TIMEOUT);
  double burnt_ms = (double)(clock() - before) * 1000 / CLOCKS_PER_SEC;
  CHECK(burnt_ms < 100);
  seguro_close(handle);
  fake_stop(&server);
}

int main(void) {
  RUN(test_choice);
  RUN(test_fallback);
  RUN(test_unasked);
  RUN(test_sizes);
  RUN(test_reconnect);
  RUN(test_broken);
  RUN(test_early_doorbells);
  RUN(test_last_words);
  RUN(test_no_system_calls);
  RUN(test_large);
  RUN(test_event_loop);
  RUN(test_rest);
  RUN(test_idle);
  return 0;
}
