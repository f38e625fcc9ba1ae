/* A writer over a ring that does what its stdin says, a line at a time: `lane_client SOCKET SHIP`.
 *
 *   s COUNT BYTES   append events, waiting for each
 *   j COUNT BYTES   the same with pauses in between, some shorter and some longer than the sidecar looks for the next event
 *   a COUNT BYTES   append events without waiting, then wait for all
 *   f COUNT BYTES   append events and do not wait
 *   b COUNT BYTES   append them as an atomic batch and wait
 *   m               put a META entry
 *   p               ping
 *   d               wait, and say the digest at the height
 *   r               wait, read everything back and check it
 *
 * After each line it prints "ok HEIGHT", "digest HEX" or "error NAME"; after an error nothing else can be expected to go well. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "seguro.h"

#define TIMEOUT_MS 60000
#define BATCH_MAX 64
#define DIGEST_BYTES 32

static uint8_t *payload;
static uint64_t next_id;

static const uint8_t *payload_of(uint64_t id, uint64_t bytes) {
  uint64_t x = id * 0x9e3779b97f4a7c15u + 1;
  for (uint64_t at = 0; at < bytes; at++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    payload[at] = (uint8_t)(x >> 56);
  }
  return payload;
}

static void pause_between(uint64_t id) {
  long pause_us = (long)(id * 0x9e3779b97f4a7c15u >> 57); /* 0 to 127 */
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < pause_us);
}

static int append(seguro *handle, uint64_t count, uint64_t bytes, bool is_each_waited, bool is_paused) {
  for (uint64_t i = 0; i < count; i++) {
    if (is_paused) {
      pause_between(next_id);
    }
    int rc = seguro_append(handle, next_id, payload_of(next_id, bytes), bytes, TIMEOUT_MS);
    if (rc == 0 && is_each_waited) {
      rc = seguro_wait(handle, next_id, TIMEOUT_MS);
    }
    if (rc != 0) {
      return rc;
    }
    next_id++;
  }
  return 0;
}

static int append_atomic(seguro *handle, uint64_t count, uint64_t bytes) {
  const void *parts[BATCH_MAX];
  uint64_t lengths[BATCH_MAX];
  for (uint64_t i = 0; i < count; i++) {
    parts[i] = payload_of(next_id, bytes);
    lengths[i] = bytes;
  }
  int rc = seguro_append_atomic(handle, next_id, count, parts, lengths, TIMEOUT_MS);
  next_id += count;
  return rc == 0 ? seguro_wait(handle, next_id - 1, TIMEOUT_MS) : rc;
}

static int say_digest(seguro *handle) {
  uint8_t digest[DIGEST_BYTES];
  int rc = seguro_wait(handle, next_id - 1, TIMEOUT_MS);
  rc = rc != 0 ? rc : seguro_digest_get(handle, next_id - 1, digest, TIMEOUT_MS);
  if (rc == 0) {
    printf("digest ");
    for (int i = 0; i < DIGEST_BYTES; i++) {
      printf("%02x", digest[i]);
    }
    printf("\n");
  }
  return rc;
}

/* Everything that was acknowledged is there, and nothing more than was sent. */
static int read_back(seguro *handle) {
  int rc = seguro_wait(handle, next_id - 1, TIMEOUT_MS);
  seguro_reader *reader;
  rc = rc != 0 ? rc : seguro_reader_open(&reader, handle, 1, 0, 0);
  if (rc != 0) {
    return rc;
  }
  seguro_event event;
  uint64_t wanted = 1;
  while ((rc = seguro_reader_next(reader, &event, TIMEOUT_MS)) == 1) {
    if (event.id != wanted) {
      printf("error event %" PRIu64 " where %" PRIu64 " should be\n", event.id, wanted);
      exit(1);
    }
    wanted++;
  }
  seguro_reader_close(reader);
  if (rc == 0 && wanted != next_id) {
    printf("error the log ends before %" PRIu64 ", not before %" PRIu64 "\n", wanted, next_id);
    exit(1);
  }
  return rc < 0 ? rc : 0;
}

static int obey(seguro *handle, char verb, uint64_t count, uint64_t bytes) {
  switch (verb) {
    case 's':
      return append(handle, count, bytes, true, false);
    case 'j':
      return append(handle, count, bytes, true, true);
    case 'a': {
      int rc = append(handle, count, bytes, false, false);
      return rc != 0 ? rc : seguro_wait(handle, next_id - 1, TIMEOUT_MS);
    }
    case 'f': {
      int rc = append(handle, count, bytes, false, false);
      return rc != 0 ? rc : seguro_flush(handle);
    }
    case 'b':
      return append_atomic(handle, count, bytes);
    case 'm':
      return seguro_meta_put(handle, SEGURO_SCOPE_TOP, "key", 3, &next_id, sizeof next_id, TIMEOUT_MS);
    case 'p':
      return seguro_ping(handle, TIMEOUT_MS);
    case 'r':
      return read_back(handle);
    default:
      return say_digest(handle);
  }
}

int main(int count, char **values) {
  payload = malloc(64u << 20);
  if (count != 3 || payload == NULL) {
    return 2;
  }
  seguro_options options = {
      .size_bytes = sizeof options, .role = SEGURO_ROLE_WRITE, .kind = SEGURO_KIND_FAKE, .transport = SEGURO_TRANSPORT_RING};
  seguro *handle;
  seguro_error error;
  if (seguro_open(&handle, values[1], values[2], &options, &error) != 0) {
    printf("error %s\n", error.text);
    return 1;
  }
  next_id = seguro_next_id(handle);
  next_id = next_id == 0 ? 1 : next_id;
  char line[80];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char verb = 0;
    uint64_t events = 0, bytes = 0;
    (void)sscanf(line, "%c %" SCNu64 " %" SCNu64, &verb, &events, &bytes);
    if (obey(handle, verb, events, bytes) != 0) {
      printf("error %s\n", seguro_last_error(handle)->name);
      return 1;
    }
    if (verb != 'd') {
      printf("ok %" PRIu64 "\n", seguro_height(handle));
    }
    fflush(stdout);
  }
  seguro_close(handle);
  return 0;
}
