/* The test sidecar's flows: opening, appending with comparison of repeats, atomic batches. */
#include "fake_flows.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

uint64_t fake_height(const fake_server *server) { return server->count == 0 ? 0 : server->base + server->count - 1; }

/* Not SHA-256, but a chain over all bytes up to id: enough to tell logs apart. */
void fake_digest(const fake_server *server, uint64_t id, uint8_t digest[32]) {
  uint32_t crc = server->count > 0 && id >= server->base ? server->events[id - server->base].chain : 0;
  for (unsigned i = 0; i < 8; i++) {
    seguro_store_u32(digest + 4 * i, crc + i + 1);
  }
}

bool fake_error(fake_session *session, uint32_t request, uint32_t code, uint32_t flags, const char *name) {
  uint8_t body[256] = {0};
  size_t name_bytes = strlen(name);
  static const char text[] = "a sentence\x1b[31m";
  static const char hint[] = "a hint";
  seguro_store_u32(body, code);
  seguro_store_u32(body + 4, flags);
  seguro_store_u64(body + 8, 77);
  seguro_store_u16(body + 16, (uint16_t)name_bytes);
  seguro_store_u16(body + 18, sizeof text - 1);
  seguro_store_u16(body + 20, sizeof hint - 1);
  memcpy(body + 24, name, name_bytes);
  memcpy(body + 24 + name_bytes, text, sizeof text - 1);
  memcpy(body + 24 + name_bytes + sizeof text - 1, hint, sizeof hint - 1);
  bool is_sent = fake_send(session, SEGURO_FRAME_ERROR, request, body, (uint32_t)(24 + name_bytes + sizeof text - 1 + sizeof hint - 1));
  return is_sent && (flags & SEGURO_ERROR_FATAL) == 0;
}

static uint8_t true_verdict(fake_session *session, uint64_t height) {
  fake_server *server = session->server;
  static const uint8_t zeros[32];
  uint8_t digest[32];
  if (server->named_id == 0) {
    return SEGURO_VERDICT_NONE;
  }
  if (server->named_id > height) {
    return SEGURO_VERDICT_AHEAD;
  }
  fake_digest(server, server->named_id, digest);
  if (memcmp(server->named_digest, zeros, 32) != 0 && memcmp(server->named_digest, digest, 32) != 0) {
    return SEGURO_VERDICT_DIVERGED;
  }
  return server->named_id == height ? SEGURO_VERDICT_SAME : SEGURO_VERDICT_BEHIND;
}

/* OPENED with shared memory: the last frame over the stream. */
static bool open_ring(fake_session *session, uint32_t request, uint8_t *opened, uint32_t opened_bytes) {
  fake_server *server = session->server;
  fake_ring *ring = &session->ring;
  fake_ring_make(ring, session->fd, server->ring_bytes, server->ring_fault);
  ring->is_awake = server->is_ring_awake;
  server->rings++;
  seguro_store_u64(opened + 104, ring->memory_bytes - (server->ring_fault == FAKE_RING_WRONG_SIZE ? 4096 : 0));
  if (server->ring_fault == FAKE_RING_NO_DESCRIPTOR) {
    close(ring->memory_fd);
    ring->memory_fd = -1;
  }
  if (server->ring_fault == FAKE_RING_EARLY_DOORBELLS) {
    uint8_t bytes[SEGURO_FRAME_HEADER_BYTES + 112 + 20] = {0};
    seguro_frame_store(bytes, (seguro_frame_header){.body_bytes = 112, .type = SEGURO_FRAME_OPENED, .request = request});
    memcpy(bytes + SEGURO_FRAME_HEADER_BYTES, opened, 112);
    CHECK(fake_ring_send_memory(ring, bytes, 1) == 1);
    CHECK(send(session->fd, bytes + 1, sizeof bytes - 1, MSG_NOSIGNAL) == (ssize_t)sizeof bytes - 1);
  } else if (!fake_send(session, SEGURO_FRAME_OPENED, request, opened, opened_bytes)) {
    return false;
  }
  session->is_ring = true;
  if (server->ring_fault == FAKE_RING_CLOSED) {
    seguro_ring_close(&ring->producer);
    send(session->fd, "", 1, MSG_NOSIGNAL);
  }
  return true;
}

static bool take_open(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  fake_server *server = session->server;
  fake_faults *faults = &server->faults;
  CHECK(header->body_bytes == 64 && !session->is_open);
  session->is_open = true;
  server->opens++;
  server->named_id = seguro_load_u64(body + 8);
  memcpy(server->named_digest, body + 16, 32);
  if (faults->refuse_count > 0) {
    faults->refuse_count--;
    return fake_error(session, header->request, faults->refuse_code, faults->refuse_flags, "refused");
  }
  uint64_t height = faults->opened_height > 0 ? faults->opened_height : fake_height(server);
  uint8_t opened[112] = {0};
  bool is_asked = seguro_load_u64(body + 48) == SEGURO_RING_OPEN_OPTION;
  server->wished_bytes = seguro_load_u64(body + 56);
  if (is_asked && server->ring_fault == FAKE_RING_UNKNOWN) {
    return fake_error(session, header->request, 6, SEGURO_ERROR_FATAL, "bad-open");
  }
  seguro_store_u32(opened, faults->refuse_log > 0 ? faults->refuse_log : 1);
  opened[4] = faults->verdict > 0 ? (uint8_t)faults->verdict : true_verdict(session, height);
  opened[5] = body[1] == SEGURO_KIND_FAKE ? SEGURO_KIND_FAKE : SEGURO_KIND_REAL;
  seguro_store_u64(opened + 8, height == 0 ? 0 : server->base == 0 ? 1 : server->base);
  seguro_store_u64(opened + 16, height);
  seguro_store_u64(opened + 24, height);
  if (height > 0) {
    fake_digest(server, height, opened + 32);
  }
  seguro_store_u64(opened + 64, body[0] == SEGURO_ROLE_WRITE ? server->opens : 0);
  seguro_store_u64(opened + 72, SEGURO_EVENT_BYTES_MAX);
  seguro_store_u64(opened + 80, (uint64_t)1 << 40);
  seguro_store_u64(opened + 88, 16777216);
  session->expected_id = height == 0 ? 0 : height + 1;
  bool is_given = is_asked ? server->ring_fault != FAKE_RING_REFUSED : server->ring_fault == FAKE_RING_UNASKED;
  if (server->ring_bytes == 0 || !is_given) {
    return fake_send(session, SEGURO_FRAME_OPENED, header->request, opened, sizeof opened);
  }
  return open_ring(session, header->request, opened, sizeof opened);
}

static bool send_height(fake_session *session) {
  fake_server *server = session->server;
  if (server->faults.is_mute) {
    return true;
  }
  uint8_t body[48];
  seguro_store_u64(body, fake_height(server));
  seguro_store_u64(body + 8, fake_height(server));
  fake_digest(server, fake_height(server), body + 16);
  return fake_send(session, SEGURO_FRAME_HEIGHT, 0, body, sizeof body);
}

static bool store_record(fake_session *session, const seguro_record_header *record, const uint8_t *payload) {
  fake_server *server = session->server;
  uint64_t height = fake_height(server);
  if (height > 0 && record->id <= height) {
    const fake_event *stored = &server->events[record->id - server->base];
    server->repeats++;
    if (stored->length_bytes != record->length_bytes || memcmp(stored->bytes, payload, (size_t)record->length_bytes) != 0) {
      return fake_error(session, 0, 22, SEGURO_ERROR_FATAL, "append-conflict");
    }
  } else if (height > 0 && record->id != height + 1) {
    return fake_error(session, 0, 21, SEGURO_ERROR_FATAL, "append-gap");
  } else {
    fake_put(server, record->id, payload, record->length_bytes);
  }
  if (server->faults.drop_after_records > 0 && --server->faults.drop_after_records == 0) {
    return false;
  }
  return true;
}

bool fake_take_batch(fake_session *session, const uint8_t *body) {
  CHECK(session->batch_left == 0 && session->stream_bytes == 0);
  session->batch_first = seguro_load_u64(body);
  session->batch_left = seguro_load_u64(body + 8);
  session->batch_bytes = seguro_load_u64(body + 16);
  session->batch_height = fake_height(session->server);
  session->server->batches++;
  return true;
}

/* An atomic batch is stored when all of it has come: until then its records stay in the stream. */
static uint64_t usable_bytes(const fake_session *session) {
  if (session->batch_left > 0) {
    return session->stream_bytes >= session->batch_bytes ? session->batch_bytes : 0;
  }
  return session->stream_bytes;
}

bool fake_take_append(fake_session *session, const uint8_t *body, uint32_t body_bytes) {
  if (session->stream_capacity - session->stream_bytes < body_bytes) {
    session->stream_capacity = 2 * (session->stream_capacity + body_bytes);
    session->stream = realloc(session->stream, (size_t)session->stream_capacity);
  }
  memcpy(session->stream + session->stream_bytes, body, body_bytes);
  session->stream_bytes += body_bytes;
  uint64_t at = 0;
  uint64_t usable = usable_bytes(session);
  bool is_any = false;
  while (usable - at >= SEGURO_RECORD_HEADER_BYTES) {
    seguro_record_header record = seguro_record_load(session->stream + at);
    uint64_t whole = seguro_record_bytes(record.length_bytes);
    if (whole > usable - at) {
      break;
    }
    const uint8_t *payload = session->stream + at + SEGURO_RECORD_HEADER_BYTES;
    uint32_t crc = seguro_crc32c(0, session->stream + at, SEGURO_RECORD_CHECKED_BYTES);
    CHECK(seguro_crc32c(crc, payload, (size_t)record.length_bytes) == record.crc);
    if (!store_record(session, &record, payload)) {
      return false;
    }
    if (session->batch_left > 0) {
      session->batch_left--;
    }
    at += whole;
    is_any = true;
  }
  memmove(session->stream, session->stream + at, (size_t)(session->stream_bytes - at));
  session->stream_bytes -= at;
  return !is_any || (send_height(session) && fake_pump_reads(session));
}

bool fake_take(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  CHECK(session->is_open || header->type == SEGURO_FRAME_OPEN);
  switch (header->type) {
    case SEGURO_FRAME_OPEN:
      return take_open(session, header, body);
    case SEGURO_FRAME_BATCH:
      CHECK(header->body_bytes == 24);
      return fake_take_batch(session, body);
    case SEGURO_FRAME_APPEND:
      CHECK(header->body_bytes % 8 == 0 && header->body_bytes > 0);
      session->server->append_frames++;
      return fake_take_append(session, body, header->body_bytes);
    case SEGURO_FRAME_READ:
      CHECK(header->body_bytes == 32);
      return fake_take_read(session, header->request, body);
    case SEGURO_FRAME_CREDIT:
      CHECK(header->body_bytes == 8);
      return fake_take_credit(session, header->request, seguro_load_u64(body));
    case SEGURO_FRAME_CANCEL:
      CHECK(header->body_bytes == 0);
      return fake_take_cancel(session, header->request);
    case SEGURO_FRAME_META_GET:
    case SEGURO_FRAME_META_PUT:
    case SEGURO_FRAME_META_LIST:
      return fake_take_meta(session, header, body);
    case SEGURO_FRAME_PING:
      return fake_send(session, SEGURO_FRAME_PONG, header->request, body, header->body_bytes);
    default:
      return fake_take_epoch(session, header, body);
  }
}

void fake_session_end(fake_session *session) {
  free(session->stream);
  for (unsigned i = 0; i < 16; i++) {
    free(session->reads[i].record);
  }
  session->server->file_received = 0;
}
