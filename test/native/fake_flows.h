/* Inside the test sidecar: one connection, and the meaning of its frames. */
#ifndef SEGURO_TEST_FAKE_FLOWS_H
#define SEGURO_TEST_FAKE_FLOWS_H

#include "fake_server.h"
#include "wire/frame.h"
#include "wire/record.h"

typedef struct fake_read {
  uint32_t request; /* 0: free */
  uint64_t next_id;
  uint64_t left; /* events; UINT64_MAX: no limit */
  uint64_t credit_bytes;
  uint64_t count;
  uint32_t flags;
  bool is_live;
  uint8_t *record; /* the record being sent */
  uint64_t record_bytes;
  uint64_t record_sent;
} fake_read;

typedef struct fake_session {
  fake_server *server;
  int fd;
  bool is_ring; /* frames go through `ring` */
  fake_ring ring;
  bool is_framed;
  bool is_open;
  uint8_t *stream; /* of records, not yet whole */
  uint64_t stream_bytes;
  uint64_t stream_capacity;
  uint64_t expected_id;
  uint64_t batch_left; /* records of the atomic batch still to come */
  uint64_t batch_first;
  uint64_t batch_bytes;
  uint64_t batch_height; /* the height before it */
  fake_read reads[16];
} fake_session;

bool fake_write(fake_session *session, const void *bytes, size_t length_bytes);
bool fake_send(fake_session *session, uint8_t type, uint32_t request, const void *body, uint32_t body_bytes);
bool fake_take(fake_session *session, const seguro_frame_header *header, const uint8_t *body);
void fake_session_end(fake_session *session);
uint64_t fake_height(const fake_server *server);
void fake_digest(const fake_server *server, uint64_t id, uint8_t digest[32]);
bool fake_error(fake_session *session, uint32_t request, uint32_t code, uint32_t flags, const char *name);
bool fake_take_append(fake_session *session, const uint8_t *body, uint32_t body_bytes);
bool fake_take_batch(fake_session *session, const uint8_t *body);
bool fake_take_read(fake_session *session, uint32_t request, const uint8_t *body);
bool fake_take_credit(fake_session *session, uint32_t request, uint64_t more_bytes);
bool fake_take_cancel(fake_session *session, uint32_t request);
bool fake_pump_reads(fake_session *session);
bool fake_take_meta(fake_session *session, const seguro_frame_header *header, const uint8_t *body);
bool fake_take_epoch(fake_session *session, const seguro_frame_header *header, const uint8_t *body);

#endif
