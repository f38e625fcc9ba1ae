/* A sidecar for tests: speaks version 1 on a Unix socket in a thread of its own, keeps one log in memory across
 * connections, and fails on request. Its code shares nothing with the client but the wire headers. */
#ifndef SEGURO_TEST_FAKE_SERVER_H
#define SEGURO_TEST_FAKE_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_ring.h"

#define FAKE_EVENTS_MAX 200000
#define FAKE_META_MAX 16

typedef struct fake_event {
  uint8_t *bytes;
  uint64_t length_bytes;
  uint32_t chain; /* CRC32C of all payloads up to here: the test sidecar's digest */
} fake_event;

typedef struct fake_meta {
  uint64_t scope;
  char key[256];
  uint8_t value[65536];
  uint32_t value_bytes;
} fake_meta;

/* What a test may set, under fake_lock, and count. */
typedef struct fake_faults {
  const uint8_t *raw; /* say these bytes at once instead of serving, then close */
  size_t raw_bytes;
  size_t write_bytes;   /* write in pieces of so many bytes; 0: whole */
  uint32_t piece_bytes; /* RECORDS bodies of at most so many bytes; 0: 65,536 */
  int refuse_count;     /* answer so many OPENs with refuse_code and _flags */
  uint32_t refuse_code;
  uint32_t refuse_flags;
  uint64_t drop_after_records; /* close before acknowledging once so many more records were stored; 0: never */
  uint64_t drop_after_frames;  /* close after so many more frames were received */
  uint64_t drop_after_written; /* close when so many more bytes of frames have been written, in mid-frame if it falls so */
  int verdict;                 /* say this one; 0: the true one */
  uint64_t opened_height;      /* say this one; 0: the true one */
  bool is_mute;                /* acknowledge nothing */
  bool is_crc_broken;          /* the last record of every read fails its checksum */
  uint64_t skip_id;            /* leave this event out of reads */
  bool is_end_early;           /* end reads one event before the height */
  bool is_over_credit;         /* send without regard to credit */
  uint32_t refuse_log;         /* pretend another log number */
} fake_faults;

typedef struct fake_server {
  char path[108];
  int listener;
  pthread_t thread;
  pthread_mutex_t mutex;
  fake_faults faults;
  bool is_stopping;
  uint64_t ring_bytes; /* of each direction; 0: no rings. SEGURO_TEST_RING sets it for every test sidecar */
  fake_ring_fault ring_fault;
  bool is_ring_awake;
  int connection;
  uint64_t base;
  uint64_t count;
  fake_event *events;
  fake_meta *metas;
  unsigned meta_count;
  uint64_t epochs[8];
  unsigned epoch_count;
  uint8_t *file;
  uint64_t file_bytes;
  uint64_t file_base;
  uint64_t file_received;
  uint8_t *file_coming;
  /* counts */
  unsigned connections;
  unsigned opens;
  unsigned rings;
  uint64_t wished_bytes; /* the ring size that the last OPEN named */
  unsigned append_frames;
  unsigned batches;
  unsigned reads_ended; /* whose SENT has gone out; atomic */
  uint64_t repeats;
  uint64_t named_id; /* of the last OPEN */
  uint8_t named_digest[32];
} fake_server;

void fake_start(fake_server *server);
void fake_stop(fake_server *server); /* frees the log too */
void fake_lock(fake_server *server);
void fake_unlock(fake_server *server);
/* Puts an event into the log without a client; the first one may have any id. */
void fake_put(fake_server *server, uint64_t id, const void *bytes, uint64_t length_bytes);
void fake_drop_event(fake_server *server);
/* Ends the present connection. */
void fake_hang_up(fake_server *server);
/* Payload of event id for tests: `length_bytes` bytes that depend on id. The caller frees. */
uint8_t *fake_payload(uint64_t id, uint64_t length_bytes);

#endif
