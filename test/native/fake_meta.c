/* The test sidecar's metadata, epochs, files and digests. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_flows.h"

static fake_meta *find_meta(fake_server *server, uint64_t scope, const uint8_t *key, uint32_t key_bytes) {
  for (unsigned i = 0; i < server->meta_count; i++) {
    fake_meta *meta = &server->metas[i];
    if (meta->scope == scope && strlen(meta->key) == key_bytes && memcmp(meta->key, key, key_bytes) == 0) {
      return meta;
    }
  }
  return NULL;
}

static bool meta_get(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  static uint8_t answer[8 + 65536];
  const fake_meta *meta = find_meta(session->server, seguro_load_u64(body), body + 8, header->body_bytes - 8);
  uint32_t value_bytes = meta == NULL ? 0 : meta->value_bytes;
  seguro_store_u32(answer, meta == NULL ? 0 : 1);
  seguro_store_u32(answer + 4, value_bytes);
  if (meta != NULL) {
    memcpy(answer + 8, meta->value, value_bytes);
  }
  return fake_send(session, SEGURO_FRAME_META_IS, header->request, answer, 8 + value_bytes);
}

static bool meta_put(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  fake_server *server = session->server;
  uint32_t key_bytes = seguro_load_u32(body + 8);
  uint32_t value_bytes = seguro_load_u32(body + 12);
  CHECK(header->body_bytes == 16 + key_bytes + value_bytes);
  if (key_bytes == 3 && memcmp(body + 16, "who", 3) == 0 && value_bytes > 0) {
    return fake_error(session, header->request, 44, 0, "meta-mismatch");
  }
  fake_meta *meta = find_meta(server, seguro_load_u64(body), body + 16, key_bytes);
  if (meta == NULL) {
    CHECK(server->meta_count < FAKE_META_MAX);
    meta = &server->metas[server->meta_count++];
    meta->scope = seguro_load_u64(body);
    memcpy(meta->key, body + 16, key_bytes);
  }
  meta->value_bytes = value_bytes;
  memcpy(meta->value, body + 16 + key_bytes, value_bytes);
  return fake_send(session, SEGURO_FRAME_OK, header->request, NULL, 0);
}

static bool meta_list(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  fake_server *server = session->server;
  static uint8_t answer[SEGURO_FRAME_BODY_MAX];
  uint32_t at = 0;
  for (unsigned i = 0; i < server->meta_count; i++) {
    const fake_meta *meta = &server->metas[i];
    if (meta->scope == seguro_load_u64(body)) {
      uint32_t key_bytes = (uint32_t)strlen(meta->key);
      seguro_store_u32(answer + at, key_bytes);
      seguro_store_u32(answer + at + 4, meta->value_bytes);
      memcpy(answer + at + 8, meta->key, key_bytes);
      memcpy(answer + at + 8 + key_bytes, meta->value, meta->value_bytes);
      at += 8 + key_bytes + meta->value_bytes;
    }
  }
  return fake_send(session, SEGURO_FRAME_META_LISTED, header->request, answer, at);
}

bool fake_take_meta(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  switch (header->type) {
    case SEGURO_FRAME_META_GET:
      return meta_get(session, header, body);
    case SEGURO_FRAME_META_PUT:
      return meta_put(session, header, body);
    default:
      return meta_list(session, header, body);
  }
}

static bool epoch_list(fake_session *session, const seguro_frame_header *header) {
  fake_server *server = session->server;
  uint8_t answer[1024];
  uint32_t at = 0;
  for (unsigned i = 0; i < server->epoch_count; i++) {
    bool has_file = server->file != NULL && server->file_base == server->epochs[i];
    seguro_store_u64(answer + at, server->epochs[i]);
    seguro_store_u64(answer + at + 8, has_file ? server->file_bytes : 0);
    seguro_store_u32(answer + at + 16, has_file ? seguro_crc32c(0, server->file, (size_t)server->file_bytes) : 0);
    seguro_store_u32(answer + at + 20, has_file ? 9 : 0);
    memcpy(answer + at + 24, "image.bin", 9);
    at += has_file ? 33 : 24;
  }
  return fake_send(session, SEGURO_FRAME_EPOCHS, header->request, answer, at);
}

static bool file_put(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  fake_server *server = session->server;
  uint64_t offset = seguro_load_u64(body + 8);
  uint64_t total = seguro_load_u64(body + 16);
  uint32_t name_bytes = seguro_load_u32(body + 24);
  uint32_t data_bytes = seguro_load_u32(body + 28);
  CHECK(header->body_bytes == 32 + name_bytes + data_bytes);
  CHECK(offset == server->file_received && (data_bytes == 524288 || offset + data_bytes == total));
  if (offset == 0) {
    free(server->file_coming);
    server->file_coming = malloc((size_t)total + 1);
  }
  memcpy(server->file_coming + offset, body + 32 + name_bytes, data_bytes);
  server->file_received += data_bytes;
  if (server->file_received == total) {
    free(server->file);
    server->file = server->file_coming;
    server->file_coming = NULL;
    server->file_bytes = total;
    server->file_base = seguro_load_u64(body);
    server->file_received = 0;
  }
  return fake_send(session, SEGURO_FRAME_OK, header->request, NULL, 0);
}

static bool file_get(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  fake_server *server = session->server;
  uint64_t offset = seguro_load_u64(body + 8);
  uint32_t most = seguro_load_u32(body + 16);
  if (server->file == NULL || seguro_load_u64(body) != server->file_base) {
    return fake_error(session, header->request, 46, 0, "no-such-file");
  }
  uint64_t left = offset < server->file_bytes ? server->file_bytes - offset : 0;
  uint32_t data_bytes = left < most ? (uint32_t)left : most;
  uint8_t *answer = calloc(1, 16 + data_bytes);
  seguro_store_u64(answer, server->file_bytes);
  seguro_store_u32(answer + 8, data_bytes);
  memcpy(answer + 16, server->file + offset, data_bytes);
  bool is_sent = fake_send(session, SEGURO_FRAME_FILE_IS, header->request, answer, 16 + data_bytes);
  free(answer);
  return is_sent;
}

bool fake_take_epoch(fake_session *session, const seguro_frame_header *header, const uint8_t *body) {
  fake_server *server = session->server;
  switch (header->type) {
    case SEGURO_FRAME_EPOCH_PUT:
      CHECK(server->epoch_count < 8);
      server->epochs[server->epoch_count++] = seguro_load_u64(body);
      return fake_send(session, SEGURO_FRAME_OK, header->request, NULL, 0);
    case SEGURO_FRAME_EPOCH_LIST:
      return epoch_list(session, header);
    case SEGURO_FRAME_FILE_PUT:
      return file_put(session, header, body);
    case SEGURO_FRAME_FILE_GET:
      return file_get(session, header, body);
    case SEGURO_FRAME_DIGEST: {
      uint8_t answer[40];
      uint64_t id = seguro_load_u64(body);
      if (id > fake_height(server)) {
        return fake_error(session, header->request, 42, 0, "no-such-event");
      }
      seguro_store_u64(answer, id);
      fake_digest(server, id, answer + 8);
      return fake_send(session, SEGURO_FRAME_DIGEST_IS, header->request, answer, sizeof answer);
    }
    default:
      return fake_error(session, header->request, 2, SEGURO_ERROR_FATAL, "bad-type");
  }
}
