/* Epochs and the files that belong to them, in pieces. */
#include <string.h>

#include "internal.h"

/* The protocol's piece: every one but the last is exactly so long. */
#define FILE_PIECE_BYTES 524288u
#define FILE_NAME_BYTES_MAX 255u

int seguro_epoch_put(seguro *handle, uint64_t base_id, int64_t timeout_ms) {
  if (handle == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  uint8_t body[8];
  seguro_store_u64(body, base_id);
  const seguro_span part = {body, sizeof body};
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "an epoch to be stored", base_id);
  return seguro_request_run(handle, SEGURO_FRAME_EPOCH_PUT, &part, 1, SEGURO_FRAME_OK, &patience, NULL);
}

int seguro_epoch_list(seguro *handle, seguro_epoch_visit visit, void *context, int64_t timeout_ms) {
  if (handle == NULL || visit == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "the list of epochs", 0);
  int code = seguro_request_run(handle, SEGURO_FRAME_EPOCH_LIST, NULL, 0, SEGURO_FRAME_EPOCHS, &patience, NULL);
  if (code != 0) {
    return code;
  }
  size_t at = 0;
  seguro_epoch_entry entry;
  while (seguro_epoch_entry_next(handle->request.reply.as.body, &at, &entry) == 1) {
    char name[FILE_NAME_BYTES_MAX + 1];
    memcpy(name, entry.name.bytes, entry.name.length_bytes);
    name[entry.name.length_bytes] = 0;
    seguro_epoch_file file = {.base_id = entry.base,
                              .name = entry.name.length_bytes > 0 ? name : NULL,
                              .file_bytes = entry.file_bytes,
                              .file_crc32c = entry.file_crc32c};
    visit(context, &file);
  }
  return 0;
}

static int check_name(seguro *handle, const char *name, size_t *name_bytes) {
  *name_bytes = name == NULL ? 0 : strlen(name);
  if (*name_bytes == 0 || *name_bytes > FILE_NAME_BYTES_MAX) {
    return seguro_error_set(handle, SEGURO_ERR_ARGUMENT, 0, "a file name has 1 to 255 bytes");
  }
  return 0;
}

/* Sends all pieces over one session: returns 0, a negative code, or SEGURO_REQUEST_LOST when the session ended in
 * between. */
static int put_pieces(seguro *handle, uint64_t base_id, seguro_span name, seguro_span file, seguro_patience *patience) {
  uint64_t generation = 0;
  size_t offset = 0;
  do {
    size_t left = file.length_bytes - offset;
    size_t piece_bytes = left < FILE_PIECE_BYTES ? left : FILE_PIECE_BYTES;
    uint8_t head[32];
    seguro_store_u64(head, base_id);
    seguro_store_u64(head + 8, offset);
    seguro_store_u64(head + 16, file.length_bytes);
    seguro_store_u32(head + 24, (uint32_t)name.length_bytes);
    seguro_store_u32(head + 28, (uint32_t)piece_bytes);
    const uint8_t *piece = piece_bytes == 0 ? NULL : file.bytes + offset;
    const seguro_span parts[] = {{head, sizeof head}, name, {piece, piece_bytes}};
    int code = seguro_request_run(handle, SEGURO_FRAME_FILE_PUT, parts, 3, SEGURO_FRAME_OK, patience, &generation);
    if (code != 0) {
      return code;
    }
    offset += piece_bytes;
  } while (offset < file.length_bytes);
  return 0;
}

int seguro_file_put(seguro *handle, uint64_t base_id, const char *name, const void *bytes, uint64_t total_bytes, int64_t timeout_ms) {
  if (handle == NULL || (bytes == NULL && total_bytes > 0) || total_bytes > SIZE_MAX) {
    return SEGURO_ERR_ARGUMENT;
  }
  size_t name_bytes;
  int code = check_name(handle, name, &name_bytes);
  if (code != 0) {
    return code;
  }
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "a file to be stored", base_id);
  seguro_span name_span = {(const uint8_t *)name, name_bytes};
  seguro_span file = {bytes, (size_t)total_bytes};
  do {
    /* A new session knows nothing of the pieces sent in the one before: they begin again. */
    code = put_pieces(handle, base_id, name_span, file, &patience);
  } while (code == SEGURO_REQUEST_LOST);
  return code;
}

/* One piece into `into`; *done_bytes is what came. */
static int get_piece(seguro *handle, uint64_t base_id, seguro_span name, uint64_t offset_bytes, uint8_t *into, uint64_t most_bytes,
                     uint64_t *done_bytes, uint64_t *total_bytes, seguro_patience *patience) {
  uint32_t piece_bytes = most_bytes < FILE_PIECE_BYTES ? (uint32_t)most_bytes : FILE_PIECE_BYTES;
  uint8_t head[24];
  seguro_store_u64(head, base_id);
  seguro_store_u64(head + 8, offset_bytes);
  seguro_store_u32(head + 16, piece_bytes);
  seguro_store_u32(head + 20, (uint32_t)name.length_bytes);
  const seguro_span parts[] = {{head, sizeof head}, name};
  int code = seguro_request_run(handle, SEGURO_FRAME_FILE_GET, parts, 2, SEGURO_FRAME_FILE_IS, patience, NULL);
  if (code != 0) {
    return code;
  }
  const seguro_reply *reply = &handle->request.reply;
  if (reply->as.file.data.length_bytes > piece_bytes) {
    return seguro_session_fail(handle, SEGURO_ERR_PROTOCOL, "more of a file came than was asked for");
  }
  if (reply->as.file.data.length_bytes > 0) {
    memcpy(into, reply->as.file.data.bytes, reply->as.file.data.length_bytes);
  }
  *done_bytes = reply->as.file.data.length_bytes;
  *total_bytes = reply->as.file.total_bytes;
  return 0;
}

int64_t seguro_file_get(seguro *handle, uint64_t base_id, const char *name, uint64_t offset_bytes, void *into, uint64_t capacity_bytes,
                        uint64_t *total_bytes, int64_t timeout_ms) {
  if (handle == NULL || total_bytes == NULL || into == NULL || capacity_bytes == 0 || capacity_bytes > INT64_MAX) {
    return SEGURO_ERR_ARGUMENT;
  }
  size_t name_bytes;
  int code = check_name(handle, name, &name_bytes);
  if (code != 0) {
    return code;
  }
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "a file", base_id);
  seguro_span name_span = {(const uint8_t *)name, name_bytes};
  uint64_t read_bytes = 0;
  uint64_t piece_bytes = 1;
  while (read_bytes < capacity_bytes && piece_bytes > 0) {
    uint64_t now_bytes = 0;
    code = get_piece(handle, base_id, name_span, offset_bytes + read_bytes, (uint8_t *)into + read_bytes, capacity_bytes - read_bytes,
                     &piece_bytes, &now_bytes, &patience);
    if (code == 0 && read_bytes > 0 && now_bytes != *total_bytes) {
      code = seguro_error_set(handle, SEGURO_ERR_DIVERGED, base_id, "the file was replaced while it was read");
    }
    if (code != 0) {
      return code;
    }
    *total_bytes = now_bytes;
    read_bytes += piece_bytes;
    if (offset_bytes + read_bytes >= now_bytes) {
      break;
    }
  }
  return (int64_t)read_bytes;
}
