/* A hostile client of a ring: `ring_scribbler SOCKET SHIP MODE SEED [MS]`. Attaches as a good client does, appends good events and
 * waits for their acknowledgement (printing the height), then misbehaves as MODE says, and ends with its session, or after MS milliseconds.
 *
 *   scribble   random bytes anywhere in the mapping, while good bytes are being read
 *   indices    random values into both heads, tails, sleep flags and closed
 *   flip       good records of which a byte is changed after they were published
 *   punch      holes into the memory
 *   truncate   tries to shorten and to grow the memory: EPERM is success
 *   doorbells  rings as fast as it can
 *   frames     a stream of empty frames as fast as it can
 *   credit     grants a read more than 64 bits count: its events must come all the same */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "ring/ring.h"
#include "wire/bytes.h"
#include "wire/frame.h"
#include "wire/record.h"

#define OPEN_BYTES 64
#define OPENED_BYTES 112
#define GOOD_EVENTS 200
#define PAYLOAD_BYTES 3000
#define MISBEHAVE_MS 400
#define ANSWER_MS 20000

typedef struct peer {
  int fd;
  int memory_fd;
  uint8_t *memory;
  uint64_t memory_bytes;
  seguro_ring_producer producer;
  seguro_ring_consumer consumer;
  uint64_t next_id;
  uint64_t random;
} peer;

static uint64_t next_random(peer *at) {
  at->random ^= at->random << 13;
  at->random ^= at->random >> 7;
  at->random ^= at->random << 17;
  return at->random;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void send_all(int fd, const void *bytes, size_t length) { CHECK(send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length); }

static void read_block(int fd) {
  char byte;
  do {
    CHECK(recv(fd, &byte, 1, 0) == 1);
  } while (byte != 0);
}

static void say_open(int fd, uint64_t wished_bytes) {
  uint8_t open[SEGURO_FRAME_HEADER_BYTES + OPEN_BYTES] = {0};
  seguro_frame_store(open, (seguro_frame_header){.body_bytes = OPEN_BYTES, .type = SEGURO_FRAME_OPEN});
  uint8_t *body = open + SEGURO_FRAME_HEADER_BYTES;
  body[0] = SEGURO_ROLE_WRITE;
  body[1] = SEGURO_KIND_FAKE;
  seguro_store_u64(body + 48, SEGURO_RING_OPEN_OPTION);
  seguro_store_u64(body + 56, wished_bytes);
  send_all(fd, open, sizeof open);
}

/* Receives OPENED and the memory that comes with it. */
static void take_opened(peer *into) {
  uint8_t opened[SEGURO_FRAME_HEADER_BYTES + OPENED_BYTES];
  struct iovec part = {.iov_base = opened, .iov_len = sizeof opened};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  CHECK(recvmsg(into->fd, &message, MSG_WAITALL) == (ssize_t)sizeof opened);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  CHECK(header != NULL && header->cmsg_type == SCM_RIGHTS);
  memcpy(&into->memory_fd, CMSG_DATA(header), sizeof into->memory_fd);
  const uint8_t *body = opened + SEGURO_FRAME_HEADER_BYTES;
  into->next_id = seguro_load_u64(body + 16) + 1;
  into->memory_bytes = seguro_load_u64(body + 104);
}

static void attach(peer *into, const char *path, const char *ship) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  into->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(connect(into->fd, (struct sockaddr *)&address, sizeof address) == 0);
  read_block(into->fd);
  send_all(into->fd, "HELLO 1", 8);
  read_block(into->fd);
  char point[96];
  int length = snprintf(point, sizeof point, "POINT %s", ship);
  send_all(into->fd, point, (size_t)length + 1);
  read_block(into->fd);
  say_open(into->fd, 65536);
  take_opened(into);
  into->memory = mmap(NULL, into->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, into->memory_fd, 0);
  CHECK(into->memory != MAP_FAILED);
  seguro_ring_geometry geometry;
  CHECK(seguro_ring_attach(into->memory, into->memory_bytes, &geometry) == SEGURO_RING_FINE);
  seguro_ring_producer_begin(&into->producer, into->memory, &geometry, SEGURO_RING_CLIENT_TO_SERVER);
  seguro_ring_consumer_begin(&into->consumer, into->memory, &geometry, SEGURO_RING_SERVER_TO_CLIENT);
}

static void ring_doorbell(peer *to) {
  char bell = SEGURO_RING_DOORBELL;
  ssize_t ignored = send(to->fd, &bell, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)ignored;
}

/* The server has ended the session, or we have misbehaved for long enough. */
static bool is_over(peer *at, int64_t until_ms) {
  struct pollfd watched = {.fd = at->fd, .events = POLLRDHUP};
  return now_ms() >= until_ms || poll(&watched, 1, 0) != 0;
}

/* Puts bytes in, in parts as room appears; gives up at the end of the session. */
static bool put_all(peer *to, const uint8_t *bytes, size_t length, int64_t until_ms) {
  while (length > 0) {
    if (seguro_ring_room(&to->producer) < 0 || is_over(to, until_ms)) {
      return false;
    }
    uint64_t taken = seguro_ring_put(&to->producer, bytes, length);
    bytes += taken;
    length -= taken;
    if (seguro_ring_publish(&to->producer)) {
      ring_doorbell(to);
    }
  }
  return true;
}

static size_t make_append(peer *from, uint8_t *into) {
  uint64_t record_bytes = seguro_record_bytes(PAYLOAD_BYTES);
  uint8_t *record = into + SEGURO_FRAME_HEADER_BYTES;
  memset(record, 0, record_bytes);
  for (size_t i = 0; i < PAYLOAD_BYTES; i++) {
    record[SEGURO_RECORD_HEADER_BYTES + i] = (uint8_t)(from->next_id + i);
  }
  seguro_record_header_write(record, from->next_id, record + SEGURO_RECORD_HEADER_BYTES, PAYLOAD_BYTES);
  seguro_frame_store(into, (seguro_frame_header){.body_bytes = (uint32_t)record_bytes, .type = SEGURO_FRAME_APPEND});
  from->next_id++;
  return SEGURO_FRAME_HEADER_BYTES + record_bytes;
}

static bool append_one(peer *to, int64_t until_ms) {
  uint8_t bytes[SEGURO_FRAME_HEADER_BYTES + SEGURO_RECORD_HEADER_BYTES + PAYLOAD_BYTES + 8];
  return put_all(to, bytes, make_append(to, bytes), until_ms);
}

/* Reads frames until the height has come; every frame up to then is a HEIGHT of 48 bytes. */
static void wait_for_height(peer *at, uint64_t wanted) {
  uint8_t frame[SEGURO_FRAME_HEADER_BYTES + 48];
  uint64_t height = 0;
  size_t have = 0;
  while (height < wanted) {
    CHECK(seguro_ring_available(&at->consumer) >= 0);
    have += seguro_ring_take(&at->consumer, frame + have, sizeof frame - have);
    seguro_ring_release(&at->consumer);
    if (have == sizeof frame) {
      CHECK(frame[4] == SEGURO_FRAME_HEIGHT);
      height = seguro_load_u64(frame + SEGURO_FRAME_HEADER_BYTES);
      have = 0;
    } else if (seguro_ring_consumer_sleep(&at->consumer) == 0) {
      char bells[64];
      CHECK(recv(at->fd, bells, sizeof bells, 0) > 0);
    }
  }
  printf("%" PRIu64 "\n", height);
  fflush(stdout);
}

static void scribble(peer *at, int64_t until_ms) {
  while (!is_over(at, until_ms)) {
    append_one(at, until_ms);
    for (int i = 0; i < 200; i++) {
      at->memory[next_random(at) % at->memory_bytes] = (uint8_t)next_random(at);
    }
    ring_doorbell(at);
  }
}

static void break_indices(peer *at, int64_t until_ms) {
  static const uint16_t offsets[] = {0, 128, 256, 384, 512};
  while (!is_over(at, until_ms)) {
    append_one(at, until_ms);
    uint64_t block = next_random(at) % 2 == 0 ? 256 : 1280;
    uint64_t value = next_random(at) % 4 == 0 ? next_random(at) : next_random(at) % 200000;
    seguro_store_u64(at->memory + block + offsets[next_random(at) % 5], value);
    ring_doorbell(at);
  }
}

static void flip(peer *at, int64_t until_ms) {
  while (append_one(at, until_ms)) {
    uint64_t back = 1 + next_random(at) % 3000;
    at->memory[SEGURO_RING_HEADER_BYTES + ((at->producer.head - back) & (at->producer.size - 1))] ^= 1;
  }
}

static void punch(peer *at, int64_t until_ms) {
  while (append_one(at, until_ms)) {
    uint64_t page = next_random(at) % (at->memory_bytes / 4096);
    CHECK(fallocate(at->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(page * 4096), 4096) == 0);
    ring_doorbell(at);
  }
}

static void resize(peer *at, int64_t until_ms) {
  CHECK(ftruncate(at->memory_fd, 4096) == -1 && errno == EPERM);
  CHECK(ftruncate(at->memory_fd, (off_t)at->memory_bytes * 2) == -1 && errno == EPERM);
  CHECK(fcntl(at->memory_fd, F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EPERM);
  CHECK(append_one(at, until_ms));
  wait_for_height(at, at->next_id - 1);
}

static void ring_endlessly(peer *at, int64_t until_ms) {
  while (!is_over(at, until_ms)) {
    for (int i = 0; i < 100; i++) {
      ring_doorbell(at);
    }
  }
}

static void send_empty_frames(peer *at, int64_t until_ms) {
  uint8_t frame[SEGURO_FRAME_HEADER_BYTES];
  seguro_frame_store(frame, (seguro_frame_header){.type = SEGURO_FRAME_PING});
  while (put_all(at, frame, sizeof frame, until_ms)) {
  }
}

static void put_frame(peer *to, uint8_t type, const uint8_t *body, uint32_t body_bytes, int64_t until_ms) {
  uint8_t frame[SEGURO_FRAME_HEADER_BYTES + 32];
  seguro_frame_store(frame, (seguro_frame_header){.body_bytes = body_bytes, .type = type, .request = 7});
  memcpy(frame + SEGURO_FRAME_HEADER_BYTES, body, body_bytes);
  CHECK(put_all(to, frame, SEGURO_FRAME_HEADER_BYTES + body_bytes, until_ms));
}

static void grant_too_much(peer *at, int64_t until_ms) {
  uint8_t read[32] = {0};
  seguro_store_u64(read, 1);
  seguro_store_u64(read + 16, UINT64_MAX);
  put_frame(at, SEGURO_FRAME_READ, read, sizeof read, until_ms + ANSWER_MS);
  uint8_t more[8];
  seguro_store_u64(more, 1);
  put_frame(at, SEGURO_FRAME_CREDIT, more, sizeof more, until_ms + ANSWER_MS);
  uint8_t first[SEGURO_FRAME_HEADER_BYTES];
  size_t have = 0;
  while (have < sizeof first) {
    CHECK(!is_over(at, until_ms + ANSWER_MS));
    CHECK(seguro_ring_available(&at->consumer) >= 0);
    have += seguro_ring_take(&at->consumer, first + have, sizeof first - have);
    seguro_ring_release(&at->consumer);
  }
  CHECK(first[4] == SEGURO_FRAME_RECORDS);
}

int main(int count, char **values) {
  static const struct {
    const char *name;
    void (*run)(peer *, int64_t);
  } modes[] = {{"scribble", scribble},
               {"indices", break_indices},
               {"flip", flip},
               {"punch", punch},
               {"truncate", resize},
               {"doorbells", ring_endlessly},
               {"frames", send_empty_frames},
               {"credit", grant_too_much}};
  CHECK(count == 5 || count == 6);
  int64_t misbehave_ms = count == 6 ? strtoll(values[5], NULL, 10) : MISBEHAVE_MS;
  peer self = {.random = strtoull(values[4], NULL, 10) * 2 + 1};
  attach(&self, values[1], values[2]);
  for (int i = 0; i < GOOD_EVENTS; i++) {
    CHECK(append_one(&self, INT64_MAX));
  }
  wait_for_height(&self, self.next_id - 1);
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    if (strcmp(values[3], modes[i].name) == 0) {
      modes[i].run(&self, now_ms() + misbehave_ms + (int64_t)(next_random(&self) % 100));
      return 0;
    }
  }
  return 2;
}
