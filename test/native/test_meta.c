/* Metadata, epochs, files, digests and pings, also over lost connections. */
#include <string.h>

#include "check.h"
#include "client_helpers.h"
#include "wire/crc32c.h"

static void visit_meta(void *context, const void *key, size_t key_bytes, const void *value, size_t value_bytes) {
  char *seen = context;
  size_t at = strlen(seen);
  snprintf(seen + at, 200 - at, "%.*s=%.*s;", (int)key_bytes, (const char *)key, (int)value_bytes, (const char *)value);
}

static void test_meta(void) {
  fake_server server;
  fake_start(&server);
  seguro *handle = open_writer(&server);
  const void *value;
  int64_t length;
  CHECK_EQUAL(seguro_meta_get(handle, SEGURO_SCOPE_TOP, "life", 4, &value, &length, 5000), 0);
  CHECK_EQUAL(length, -1);
  CHECK_EQUAL(seguro_meta_put(handle, SEGURO_SCOPE_TOP, "life", 4, "\5", 1, 5000), 0);
  CHECK_EQUAL(seguro_meta_put(handle, SEGURO_SCOPE_TOP, "fake", 4, NULL, 0, 5000), 0);
  CHECK_EQUAL(seguro_meta_put(handle, 0, "version", 7, "3", 1, 5000), 0);
  CHECK_EQUAL(seguro_meta_get(handle, SEGURO_SCOPE_TOP, "fake", 4, &value, &length, 5000), 0);
  CHECK_EQUAL(length, 0);
  CHECK_EQUAL(seguro_meta_get(handle, SEGURO_SCOPE_TOP, "life", 4, &value, &length, 5000), 0);
  CHECK(length == 1 && *(const char *)value == 5);
  CHECK_EQUAL(seguro_meta_get(handle, 0, "life", 4, &value, &length, 5000), 0);
  CHECK_EQUAL(length, -1);
  CHECK_EQUAL(seguro_meta_put(handle, 0, "who", 3, "x", 1, 5000), SEGURO_ERR_META_MISMATCH);
  CHECK_EQUAL(seguro_meta_put(handle, 0, "", 0, "x", 1, 5000), SEGURO_ERR_ARGUMENT);
  char seen[200] = "";
  CHECK_EQUAL(seguro_meta_list(handle, 0, visit_meta, seen, 5000), 0);
  CHECK(strcmp(seen, "version=3;") == 0);
  static uint8_t big[65536];
  memset(big, 7, sizeof big);
  CHECK_EQUAL(seguro_meta_put(handle, 0, "big", 3, big, sizeof big, 5000), 0);
  fake_lock(&server);
  server.faults.drop_after_written = 3000; /* in the middle of the answer */
  fake_unlock(&server);
  CHECK_EQUAL(seguro_meta_get(handle, 0, "big", 3, &value, &length, 5000), 0);
  CHECK(length == sizeof big && memcmp(value, big, sizeof big) == 0);
  CHECK_EQUAL(server.connections, 2);
  seguro_close(handle);
  fake_stop(&server);
}

static void visit_epoch(void *context, const seguro_epoch_file *file) {
  char *seen = context;
  size_t at = strlen(seen);
  snprintf(seen + at, 200 - at, "%d:%s:%d:%08x;", (int)file->base_id, file->name == NULL ? "-" : file->name, (int)file->file_bytes,
           file->file_crc32c);
}

static void test_epochs_and_files(void) {
  fake_server server;
  fake_start(&server);
  seguro *handle = open_writer(&server);
  CHECK_EQUAL(seguro_epoch_put(handle, 0, 5000), 0);
  CHECK_EQUAL(seguro_epoch_put(handle, 800, 5000), 0);
  static const uint64_t sizes[] = {0, 1, 524288, 524289, 2000000};
  for (unsigned i = 0; i < 5; i++) {
    uint8_t *bytes = fake_payload(i, sizes[i]);
    uint8_t *back = malloc((size_t)sizes[i] + 1);
    fake_lock(&server);
    server.faults.drop_after_frames = 2 + i; /* the pieces begin again on the next connection */
    fake_unlock(&server);
    CHECK_EQUAL(seguro_file_put(handle, 800, "image.bin", bytes, sizes[i], 10000), 0);
    uint64_t total;
    CHECK_EQUAL(seguro_file_get(handle, 800, "image.bin", 0, back, sizes[i] + 1, &total, 10000), (int64_t)sizes[i]);
    CHECK(total == sizes[i] && memcmp(bytes, back, (size_t)total) == 0);
    CHECK_EQUAL(seguro_file_get(handle, 800, "image.bin", total / 2, back, 3, &total, 5000),
                sizes[i] - sizes[i] / 2 < 3 ? (int64_t)(sizes[i] - sizes[i] / 2) : 3);
    char seen[200] = "";
    char expected[200];
    snprintf(expected, sizeof expected, "0:-:0:00000000;800:image.bin:%d:%08x;", (int)total, seguro_crc32c(0, bytes, (size_t)total));
    CHECK_EQUAL(seguro_epoch_list(handle, visit_epoch, seen, 5000), 0);
    CHECK(strcmp(seen, expected) == 0);
    free(bytes);
    free(back);
  }
  CHECK(server.connections > 3);
  uint64_t total;
  CHECK_EQUAL(seguro_file_get(handle, 0, "image.bin", 0, &total, 1, &total, 5000), SEGURO_ERR_NO_SUCH_FILE);
  seguro_close(handle);
  fake_stop(&server);
}

static void test_digest_and_ping(void) {
  fake_server server;
  fake_start(&server);
  fill_log(&server, 1, 10, 3, 50);
  seguro *handle = open_reader(&server);
  uint8_t digest[32];
  seguro_info info;
  seguro_get_info(handle, &info);
  CHECK_EQUAL(seguro_digest_get(handle, 10, digest, 5000), 0);
  CHECK(memcmp(digest, info.digest, 32) == 0);
  CHECK_EQUAL(seguro_digest_get(handle, 11, digest, 5000), SEGURO_ERR_NO_SUCH_EVENT);
  CHECK_EQUAL(seguro_last_error(handle)->id, 77);
  fake_hang_up(&server);
  CHECK_EQUAL(seguro_ping(handle, 5000), 0);
  CHECK_EQUAL(seguro_append(handle, 11, "x", 1, 0), SEGURO_ERR_BAD_ROLE);
  CHECK(strcmp(seguro_transport_name(handle), server.ring_bytes > 0 ? "ring" : "stream") == 0);
  seguro_close(handle);
  fake_stop(&server);
}

int main(void) {
  RUN(test_meta);
  RUN(test_epochs_and_files);
  RUN(test_digest_and_ping);
  return 0;
}
