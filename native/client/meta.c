/* Metadata: Vere's META keys, of the pier and of its epochs. */
#include <string.h>

#include "internal.h"

#define KEY_BYTES_MAX 255u
#define VALUE_BYTES_MAX 65536u

static int check_key(seguro *handle, const void *key, size_t key_bytes) {
  if (key == NULL || key_bytes == 0 || key_bytes > KEY_BYTES_MAX) {
    return seguro_error_set(handle, SEGURO_ERR_ARGUMENT, 0, "metadata keys are 1 to 255 bytes");
  }
  return 0;
}

int seguro_meta_get(seguro *handle, uint64_t scope, const void *key, size_t key_bytes, const void **value, int64_t *length_bytes,
                    int64_t timeout_ms) {
  if (handle == NULL || value == NULL || length_bytes == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  int code = check_key(handle, key, key_bytes);
  if (code != 0) {
    return code;
  }
  uint8_t head[8];
  seguro_store_u64(head, scope);
  const seguro_span parts[] = {{head, sizeof head}, {key, key_bytes}};
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "metadata", 0);
  code = seguro_request_run(handle, SEGURO_FRAME_META_GET, parts, 2, SEGURO_FRAME_META_IS, &patience, NULL);
  if (code != 0) {
    return code;
  }
  const seguro_reply *reply = &handle->request.reply;
  *value = reply->as.meta.is_present ? reply->as.meta.value.bytes : NULL;
  *length_bytes = reply->as.meta.is_present ? (int64_t)reply->as.meta.value.length_bytes : -1;
  return 0;
}

int seguro_meta_put(seguro *handle, uint64_t scope, const void *key, size_t key_bytes, const void *value, size_t value_bytes,
                    int64_t timeout_ms) {
  if (handle == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  int code = check_key(handle, key, key_bytes);
  if (code != 0) {
    return code;
  }
  if (value_bytes > VALUE_BYTES_MAX || (value == NULL && value_bytes > 0)) {
    return seguro_error_set(handle, SEGURO_ERR_ARGUMENT, 0, "metadata values are 0 to 65,536 bytes");
  }
  uint8_t head[16];
  seguro_store_u64(head, scope);
  seguro_store_u32(head + 8, (uint32_t)key_bytes);
  seguro_store_u32(head + 12, (uint32_t)value_bytes);
  const seguro_span parts[] = {{head, sizeof head}, {key, key_bytes}, {value, value_bytes}};
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "metadata to be stored", 0);
  return seguro_request_run(handle, SEGURO_FRAME_META_PUT, parts, 3, SEGURO_FRAME_OK, &patience, NULL);
}

int seguro_meta_list(seguro *handle, uint64_t scope, seguro_meta_visit visit, void *context, int64_t timeout_ms) {
  if (handle == NULL || visit == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  uint8_t head[8];
  seguro_store_u64(head, scope);
  const seguro_span part = {head, sizeof head};
  seguro_patience patience;
  seguro_patience_begin(&patience, timeout_ms, "metadata", 0);
  int code = seguro_request_run(handle, SEGURO_FRAME_META_LIST, &part, 1, SEGURO_FRAME_META_LISTED, &patience, NULL);
  if (code != 0) {
    return code;
  }
  size_t at = 0;
  seguro_span key, value;
  while (seguro_meta_entry_next(handle->request.reply.as.body, &at, &key, &value) == 1) {
    visit(context, key.bytes, key.length_bytes, value.bytes, value.length_bytes);
  }
  return 0;
}
