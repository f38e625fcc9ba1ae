/* Both ends of a ring at work: as threads of one process (for ThreadSanitizer), and as a process that is killed. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "ring/ring.h"
#include "ring_ends.h"
#include "wire/crc32c.h"

/* ---- both ends as threads ---- */

typedef struct side {
  both_ends *ends;
  int fd;
  uint64_t total_bytes;
  uint64_t step_bytes; /* puts or takes at most so much at a time */
  uint32_t crc;
} side;

static void ring_doorbell(int fd) {
  ssize_t ignored = send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  (void)ignored;
}

static void sleep_until_doorbell(int fd) {
  struct pollfd watched = {.fd = fd, .events = POLLIN};
  /* A lost wake-up would hang; the model says there is none, and ten seconds without one say otherwise. */
  CHECK(poll(&watched, 1, 10000) == 1);
  uint8_t doorbells[64];
  CHECK(recv(fd, doorbells, sizeof doorbells, MSG_DONTWAIT) > 0);
}

static void *produce(void *context) {
  side *self = context;
  seguro_ring_producer *producer = &self->ends->producer;
  uint8_t *bytes = malloc(self->step_bytes);
  uint64_t sent = 0;
  while (sent < self->total_bytes) {
    uint64_t now = self->total_bytes - sent < self->step_bytes ? self->total_bytes - sent : self->step_bytes;
    fill(bytes, now, sent);
    self->crc = seguro_crc32c(self->crc, bytes, now);
    sent += now;
    for (uint64_t at = 0; at < now;) {
      uint64_t put = seguro_ring_put(producer, bytes + at, now - at);
      at += put;
      if (seguro_ring_publish(producer)) {
        ring_doorbell(self->fd);
      }
      if (put > 0) {
        continue;
      }
      int64_t room = seguro_ring_room(producer);
      CHECK(room >= 0);
      if (room == 0 && seguro_ring_producer_sleep(producer) == 0) {
        sleep_until_doorbell(self->fd);
        seguro_ring_producer_awake(producer);
      }
    }
  }
  free(bytes);
  seguro_ring_close(producer);
  ring_doorbell(self->fd);
  return NULL;
}

static void *consume(void *context) {
  side *self = context;
  seguro_ring_consumer *consumer = &self->ends->consumer;
  uint8_t *bytes = malloc(self->step_bytes);
  uint64_t got = 0;
  while (got < self->total_bytes) {
    int64_t available = seguro_ring_available(consumer);
    CHECK(available >= 0);
    if (available == 0) {
      if (!seguro_ring_is_closed(consumer) && seguro_ring_consumer_sleep(consumer) == 0) {
        sleep_until_doorbell(self->fd);
      }
      continue;
    }
    uint64_t taken = seguro_ring_take(consumer, bytes, self->step_bytes);
    self->crc = seguro_crc32c(self->crc, bytes, taken);
    got += taken;
    if (seguro_ring_release(consumer)) {
      ring_doorbell(self->fd);
    }
  }
  free(bytes);
  return NULL;
}

static void run_threads(uint64_t total_bytes, uint64_t put_bytes, uint64_t take_bytes) {
  both_ends ends;
  make(&ends);
  int sockets[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  side sides[2] = {{&ends, sockets[0], total_bytes, put_bytes, 0}, {&ends, sockets[1], total_bytes, take_bytes, 0}};
  pthread_t threads[2];
  CHECK(pthread_create(&threads[0], NULL, produce, &sides[0]) == 0);
  CHECK(pthread_create(&threads[1], NULL, consume, &sides[1]) == 0);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  CHECK(sides[0].crc == sides[1].crc);
  CHECK(seguro_ring_is_closed(&ends.consumer));
  close(sockets[0]);
  close(sockets[1]);
  free(ends.memory);
}

/* From a few bytes to many times the ring, so that each side sleeps often. */
static void test_threads(void) {
  run_threads(300000, 7, 65536);
  run_threads(300000, 65536, 5);
  run_threads(20000000, 1000, 4096);
  run_threads(20000000, 3000000, 65536);
  run_threads(20000000, 500, 1000000);
}

static void test_throughput(void) {
  struct timespec begun, ended;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  run_threads(100000000, 100000, 1 << 20);
  clock_gettime(CLOCK_MONOTONIC, &ended);
  double seconds = (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
  fprintf(stderr, "    100 MB made, moved and checked in %.2f s\n", seconds);
  CHECK(seconds < 60);
}

/* ---- a producer that dies ---- */

/* What byte of the stream lies at a position, so that the reader can tell what it should be. */
static uint8_t byte_at(uint64_t position) { return (uint8_t)((position * 0x9e3779b97f4a7c15u) >> 56); }

static void produce_until_killed(seguro_ring_producer *producer) {
  uint8_t bytes[3000];
  for (uint64_t sent = 0;; sent += sizeof bytes) {
    for (size_t i = 0; i < sizeof bytes; i++) {
      bytes[i] = byte_at(sent + i);
    }
    for (uint64_t at = 0; at < sizeof bytes;) {
      at += seguro_ring_put(producer, bytes + at, sizeof bytes - at);
      seguro_ring_publish(producer);
      seguro_ring_room(producer);
    }
  }
}

static uint64_t check_published(seguro_ring_consumer *consumer) {
  uint8_t bytes[5000];
  uint64_t begin = consumer->tail;
  CHECK(seguro_ring_available(consumer) >= 0);
  uint64_t taken = seguro_ring_take(consumer, bytes, sizeof bytes);
  for (uint64_t i = 0; i < taken; i++) {
    CHECK(bytes[i] == byte_at(begin + i));
  }
  seguro_ring_release(consumer);
  return taken;
}

/* Killed at any instruction: what it published is there and right, up to the last byte. */
static void test_killed_producer(void) {
  uint64_t total = seguro_ring_total_bytes(SIZE, SIZE);
  uint64_t checked = 0;
  for (unsigned round = 0; round < 200; round++) {
    void *memory = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    seguro_ring_geometry geometry;
    CHECK(seguro_ring_init(memory, total, SIZE, SIZE, round + 1, &geometry));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      seguro_ring_producer producer;
      seguro_ring_producer_begin(&producer, memory, &geometry, SEGURO_RING_CLIENT_TO_SERVER);
      produce_until_killed(&producer);
    }
    seguro_ring_consumer consumer;
    seguro_ring_consumer_begin(&consumer, memory, &geometry, SEGURO_RING_CLIENT_TO_SERVER);
    /* By what came, not by time alone: a busy machine may not have run the child at all by then. */
    for (uint64_t wanted = checked + round % 20 * SIZE / 8; checked < wanted;) {
      checked += check_published(&consumer);
    }
    usleep(round * 7 % 1000);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    for (uint64_t taken = 1; taken > 0;) {
      taken = check_published(&consumer);
      checked += taken;
    }
    munmap(memory, total);
  }
  CHECK(checked >= 10 * 190 * (SIZE / 8));
}

int main(void) {
  RUN(test_threads);
  RUN(test_throughput);
  RUN(test_killed_producer);
  return 0;
}
