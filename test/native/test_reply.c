/* The parsers alone: every frame type at every length, mutated frames, records and text blocks cut anywhere. */
#include <string.h>

#include "check.h"
#include "fake_server.h"
#include "reply.h"

/* Lengths around every limit, with a body that ends where its memory ends, so that sanitizers see a byte too far. */
static void test_lengths(void) {
  for (unsigned type = 0; type < 256; type++) {
    for (uint32_t bytes = 0; bytes < 300; bytes++) {
      for (unsigned fill = 0; fill < 3; fill++) {
        uint8_t *body = malloc(bytes + (bytes == 0));
        memset(body, fill == 2 ? 255 : (int)fill, bytes + (bytes == 0));
        seguro_frame_header header = {.body_bytes = bytes, .type = (uint8_t)type, .flags = 0, .request = 1};
        seguro_reply reply;
        seguro_reply_parse(&header, body, &reply);
        free(body);
      }
    }
  }
}

static void test_random(void) {
  uint64_t x = 88172645463325252u;
  for (unsigned round = 0; round < 200000; round++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    uint32_t bytes = (uint32_t)(x >> 20) % 130;
    uint8_t *body = fake_payload(x, bytes);
    /* Small numbers in the first bytes come closer to what passes. */
    for (uint32_t i = 0; i < bytes && i < 24; i++) {
      body[i] = (x >> (i % 48) & 3) == 0 ? (uint8_t)(body[i] % 40) : 0;
    }
    seguro_frame_header header = {.body_bytes = bytes, .type = (uint8_t)(129 + x % 13), .request = 1};
    header.type = x % 17 == 0 ? SEGURO_FRAME_ERROR : header.type;
    seguro_reply reply;
    uint8_t *exact = malloc(bytes + (bytes == 0));
    memcpy(exact, body, bytes);
    seguro_reply_parse(&header, exact, &reply);
    free(exact);
    free(body);
  }
}

static void test_records(void) {
  uint8_t *payload = fake_payload(9, 50);
  uint8_t record[80] = {0};
  seguro_record_header_write(record, 9, payload, 50);
  memcpy(record + 24, payload, 50);
  seguro_event event;
  uint64_t whole;
  for (uint64_t bytes = 0; bytes < 80; bytes++) {
    uint8_t *cut = malloc((size_t)bytes + 1);
    memcpy(cut, record, (size_t)bytes);
    CHECK_EQUAL(seguro_record_scan(cut, bytes, 1000, &event, &whole), SEGURO_SCAN_PARTIAL);
    CHECK_EQUAL(whole, bytes < 24 ? 24 : 80);
    free(cut);
  }
  CHECK_EQUAL(seguro_record_scan(record, 80, 1000, &event, &whole), SEGURO_SCAN_WHOLE);
  CHECK(event.id == 9 && event.length_bytes == 50 && memcmp(event.bytes, payload, 50) == 0);
  CHECK_EQUAL(seguro_record_scan(record, 80, 49, &event, &whole), SEGURO_SCAN_MALFORMED);
  for (unsigned bit = 0; bit < 80 * 8; bit++) {
    record[bit / 8] ^= (uint8_t)(1 << bit % 8);
    CHECK(seguro_record_scan(record, 80, SEGURO_EVENT_BYTES_MAX, &event, &whole) != SEGURO_SCAN_WHOLE);
    record[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  free(payload);
}

/* No frame may name an event that cannot be: what a handle says of its height would be no height. */
static void test_heights(void) {
  static const struct {
    uint64_t height;
    bool is_height;
  } cases[] = {{0, true}, {SEGURO_EVENT_ID_MAX, true}, {SEGURO_EVENT_ID_MAX + 1, false}, {UINT64_MAX, false}};
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint8_t body[48] = {0};
    seguro_store_u64(body, cases[i].height);
    seguro_reply reply;
    seguro_frame_header live = {.body_bytes = 8, .type = SEGURO_FRAME_LIVE, .request = 1};
    CHECK_EQUAL(seguro_reply_parse(&live, body, &reply), cases[i].is_height);
    seguro_frame_header height = {.body_bytes = 48, .type = SEGURO_FRAME_HEIGHT};
    CHECK_EQUAL(seguro_reply_parse(&height, body, &reply), cases[i].is_height);
  }
}

static void test_greetings(void) {
  static const char welcome[] = "WELCOME ~zod 12";
  size_t block;
  for (size_t bytes = 0; bytes < sizeof welcome; bytes++) {
    CHECK_EQUAL(seguro_greeting_parse((const uint8_t *)welcome, bytes, SEGURO_GREETING_WELCOME, "~zod", &block), 0);
  }
  CHECK_EQUAL(seguro_greeting_parse((const uint8_t *)welcome, sizeof welcome, SEGURO_GREETING_WELCOME, "~zod", &block), 1);
  CHECK_EQUAL(block, sizeof welcome);
  static const char *const wrong[] = {"",
                                      "WELCOME",
                                      "WELCOME ",
                                      "WELCOME ~zo",
                                      "WELCOME ~zodd",
                                      "WELCOME ~zod -1",
                                      "WELCOME ~zod 1 2",
                                      "WELCOME  ~zod",
                                      "WELCOME ~zod 12345678901234567890"};
  for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    CHECK_EQUAL(seguro_greeting_parse((const uint8_t *)wrong[i], strlen(wrong[i]) + 1, SEGURO_GREETING_WELCOME, "~zod", &block),
                SEGURO_ERR_PROTOCOL);
  }
}

int main(void) {
  RUN(test_lengths);
  RUN(test_random);
  RUN(test_records);
  RUN(test_heights);
  RUN(test_greetings);
  return 0;
}
