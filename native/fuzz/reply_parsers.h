// libseguro's parsers of a sidecar's bytes, each alone, on memory that ends where the bytes end.
#pragma once

#include <memory>

#include "reply_peer.h"

inline Bytes Rest(Input *input) {
  size_t bytes;
  const uint8_t *at = input->Slice(SIZE_MAX, &bytes);
  return Bytes(at, at + bytes);
}

/** The first `bytes` of what there is, on memory that holds no more. */
inline std::unique_ptr<uint8_t[]> Cut(const Bytes &whole, size_t bytes) {
  std::unique_ptr<uint8_t[]> cut(new uint8_t[bytes]);
  std::copy_n(whole.begin(), bytes, cut.get());
  return cut;
}

/** What is said of a text block does not change when more comes behind it, and is said when its NUL comes, or at the limit. */
inline void CheckGreeting(Input input) {
  auto expected = static_cast<seguro_greeting>(input.Byte() % 3);
  Bytes bytes = Rest(&input);
  int last = 0;
  size_t first_block = 0;
  for (size_t length = 0; length <= std::min<size_t>(bytes.size(), SEGURO_TEXT_BLOCK_MAX + 8); length++) {
    size_t block = 0;
    int code = seguro_greeting_parse(Cut(bytes, length).get(), length, expected, "~zod", &block);
    FUZZ_CHECK(last == 0 || (code == last && block == first_block));
    FUZZ_CHECK(code == 0 || code == 1 || code == SEGURO_ERR_VERSION || code == SEGURO_ERR_PROTOCOL);
    FUZZ_CHECK(code != 1 || (block > 0 && block <= length && block <= SEGURO_TEXT_BLOCK_MAX && bytes[block - 1] == 0));
    FUZZ_CHECK(code != 0 || (length < SEGURO_TEXT_BLOCK_MAX && std::count(bytes.begin(), bytes.begin() + length, 0) == 0));
    last = code;
    first_block = block;
  }
}

inline void CheckRecord(Input input) {
  Bytes bytes = Rest(&input);
  seguro_event event;
  uint64_t whole;
  int found = seguro_record_scan(Cut(bytes, bytes.size()).get(), bytes.size(), SEGURO_EVENT_BYTES_MAX, &event, &whole);
  FUZZ_CHECK(found != SEGURO_SCAN_PARTIAL || whole > bytes.size());
  FUZZ_CHECK(found != SEGURO_SCAN_WHOLE || (whole <= bytes.size() && event.id > 0 && event.id <= SEGURO_EVENT_ID_MAX));
  for (size_t length = 0; length < bytes.size(); length++) {
    uint64_t cut_whole;
    int cut = seguro_record_scan(Cut(bytes, length).get(), length, SEGURO_EVENT_BYTES_MAX, &event, &cut_whole);
    FUZZ_CHECK(cut == found || (cut == SEGURO_SCAN_PARTIAL && cut_whole > length));
  }
}

inline void CheckReply(Input input) {
  seguro_frame_header header = {0, static_cast<uint8_t>(input.Byte() % 16 + 128), 0, 1};
  header.type = header.type == 128 ? static_cast<uint8_t>(SEGURO_FRAME_ERROR) : header.type;
  Bytes bytes = Rest(&input);
  bytes.resize(std::min<size_t>(bytes.size(), SEGURO_FRAME_BODY_MAX));
  header.body_bytes = static_cast<uint32_t>(bytes.size());
  auto body = Cut(bytes, bytes.size());
  auto is_within = [&](const uint8_t *at, size_t length) {
    return at >= body.get() && length <= bytes.size() && at <= body.get() + bytes.size() - length;
  };
  seguro_reply reply;
  if (!seguro_reply_parse(&header, body.get(), &reply)) {
    return;
  }
  size_t at = 0;
  seguro_span key, value;
  seguro_epoch_entry epoch;
  switch (reply.type) {
    case SEGURO_FRAME_OPENED:
      FUZZ_CHECK(reply.as.opened.height <= SEGURO_EVENT_ID_MAX && reply.as.opened.base <= reply.as.opened.height);
      FUZZ_CHECK(reply.as.opened.digest_id <= reply.as.opened.height && is_within(reply.as.opened.digest, SEGURO_DIGEST_SIZE));
      break;
    case SEGURO_FRAME_HEIGHT:
      FUZZ_CHECK(reply.as.height.height <= SEGURO_EVENT_ID_MAX && reply.as.height.digest_id <= reply.as.height.height);
      FUZZ_CHECK(is_within(reply.as.height.digest, SEGURO_DIGEST_SIZE));
      break;
    case SEGURO_FRAME_LIVE:
      FUZZ_CHECK(reply.as.live.height <= SEGURO_EVENT_ID_MAX);
      break;
    case SEGURO_FRAME_ERROR:
      FUZZ_CHECK(reply.as.error.code != 0);
      for (const seguro_span &text : {reply.as.error.name, reply.as.error.text, reply.as.error.hint}) {
        FUZZ_CHECK(is_within(text.bytes, text.length_bytes));
      }
      break;
    case SEGURO_FRAME_META_IS:
      FUZZ_CHECK(is_within(reply.as.meta.value.bytes, reply.as.meta.value.length_bytes));
      break;
    case SEGURO_FRAME_FILE_IS:
      FUZZ_CHECK(is_within(reply.as.file.data.bytes, reply.as.file.data.length_bytes));
      break;
    case SEGURO_FRAME_META_LISTED:
      while (seguro_meta_entry_next(reply.as.body, &at, &key, &value) == 1) {
        FUZZ_CHECK(key.length_bytes > 0 && is_within(key.bytes, key.length_bytes) && is_within(value.bytes, value.length_bytes));
      }
      FUZZ_CHECK(at == bytes.size());
      break;
    case SEGURO_FRAME_EPOCHS:
      while (seguro_epoch_entry_next(reply.as.body, &at, &epoch) == 1) {
        FUZZ_CHECK(is_within(epoch.name.bytes, epoch.name.length_bytes));
      }
      FUZZ_CHECK(at == bytes.size());
      break;
    default:
      break;
  }
}
