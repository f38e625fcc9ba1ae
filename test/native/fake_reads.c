/* The test sidecar's reads: record streams cut into pieces, as far as the credit goes. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_flows.h"

static bool end_read(fake_session *session, fake_read *read, uint32_t reason) {
  uint8_t body[24] = {0};
  seguro_store_u64(body, read->count);
  seguro_store_u64(body + 8, read->next_id);
  seguro_store_u32(body + 16, reason);
  uint32_t request = read->request;
  read->request = 0;
  free(read->record);
  read->record = NULL;
  bool is_alive = fake_send(session, SEGURO_FRAME_SENT, request, body, sizeof body);
  __atomic_add_fetch(&session->server->reads_ended, 1, __ATOMIC_RELEASE);
  return is_alive;
}

static void load_record(fake_session *session, fake_read *read) {
  fake_server *server = session->server;
  if (read->next_id < server->base) {
    read->next_id = server->base; /* the log was empty when the read began */
  }
  if (read->next_id == server->faults.skip_id) {
    read->next_id++;
  }
  const fake_event *event = &server->events[read->next_id - server->base];
  read->record_bytes = seguro_record_bytes(event->length_bytes);
  read->record = calloc(1, (size_t)read->record_bytes);
  read->record_sent = 0;
  seguro_record_header_write(read->record, read->next_id, event->bytes, event->length_bytes);
  if (event->length_bytes > 0) {
    memcpy(read->record + SEGURO_RECORD_HEADER_BYTES, event->bytes, (size_t)event->length_bytes);
  }
  if (server->faults.is_crc_broken && read->next_id == fake_height(server)) {
    read->record[20] ^= 1;
  }
}

/* Fills one RECORDS body; returns its bytes. */
static uint32_t fill_piece(fake_session *session, fake_read *read, uint8_t *into, uint32_t most, uint64_t height) {
  uint32_t filled = 0;
  while (filled < most) {
    if (read->record == NULL) {
      if (read->next_id > height || read->left == 0) {
        break;
      }
      load_record(session, read);
    }
    uint64_t left = read->record_bytes - read->record_sent;
    uint32_t now = left < most - filled ? (uint32_t)left : most - filled;
    memcpy(into + filled, read->record + read->record_sent, now);
    filled += now;
    read->record_sent += now;
    if (read->record_sent == read->record_bytes) {
      free(read->record);
      read->record = NULL;
      read->next_id++;
      read->count++;
      read->left -= read->left == UINT64_MAX ? 0 : 1;
    }
  }
  return filled;
}

static bool pump(fake_session *session, fake_read *read) {
  fake_faults *faults = &session->server->faults;
  uint64_t height = fake_height(session->server) - (faults->is_end_early ? 1 : 0);
  uint32_t piece = faults->piece_bytes > 0 ? faults->piece_bytes : 65536;
  uint8_t *body = malloc(piece);
  bool is_alive = true;
  while (is_alive) {
    uint64_t credit = faults->is_over_credit ? piece : read->credit_bytes & ~(uint64_t)7;
    uint32_t filled = fill_piece(session, read, body, credit < piece ? (uint32_t)credit : piece, height);
    if (filled == 0) {
      break;
    }
    read->credit_bytes -= filled;
    is_alive = fake_send(session, SEGURO_FRAME_RECORDS, read->request, body, filled);
  }
  free(body);
  if (is_alive && read->record == NULL && read->left == 0) {
    return end_read(session, read, SEGURO_SENT_LIMIT);
  }
  if (is_alive && read->record == NULL && read->next_id > height) {
    if ((read->flags & SEGURO_READ_TAIL) == 0) {
      return end_read(session, read, SEGURO_SENT_END);
    }
    if (!read->is_live) {
      uint8_t live[8];
      read->is_live = true;
      seguro_store_u64(live, height);
      return fake_send(session, SEGURO_FRAME_LIVE, read->request, live, sizeof live);
    }
  }
  return is_alive;
}

bool fake_take_read(fake_session *session, uint32_t request, const uint8_t *body) {
  fake_read *read = session->reads;
  while (read < session->reads + 16 && read->request != 0) {
    CHECK(read->request != request);
    read++;
  }
  CHECK(read < session->reads + 16);
  memset(read, 0, sizeof *read);
  read->request = request;
  read->next_id = seguro_load_u64(body);
  uint64_t limit = seguro_load_u64(body + 8);
  read->left = limit == 0 ? UINT64_MAX : limit;
  read->credit_bytes = seguro_load_u64(body + 16);
  read->flags = seguro_load_u32(body + 24);
  if (read->next_id < session->server->base) {
    read->next_id = session->server->base;
  }
  return pump(session, read);
}

static fake_read *find(fake_session *session, uint32_t request) {
  for (unsigned i = 0; i < 16; i++) {
    if (session->reads[i].request == request) {
      return &session->reads[i];
    }
  }
  return NULL;
}

bool fake_take_credit(fake_session *session, uint32_t request, uint64_t more_bytes) {
  fake_read *read = find(session, request);
  if (read == NULL) {
    return true; /* crossed with the end of the read */
  }
  read->credit_bytes += more_bytes;
  return pump(session, read);
}

bool fake_take_cancel(fake_session *session, uint32_t request) {
  fake_read *read = find(session, request);
  return read == NULL ? fake_error(session, request, 40, 0, "bad-read") : end_read(session, read, SEGURO_SENT_CANCELLED);
}

bool fake_pump_reads(fake_session *session) {
  for (unsigned i = 0; i < 16; i++) {
    if (session->reads[i].request != 0 && !pump(session, &session->reads[i])) {
      return false;
    }
  }
  return true;
}
