// One link of the chain a record: payload hash, then the hash of the link before, id, length and that.
#include "core_digest.h"

#include <algorithm>

namespace seguro {

namespace {

constexpr size_t kStepBytes = 2048;
constexpr size_t kLineBytes = 64;

}  // namespace

const char *DigestCore::Advance(const uint8_t *bytes, size_t size, uint64_t stop_at) {
  while (size > 0 && error_ == nullptr && id_ < stop_at) {
    size_t taken;
    if (in_body_) {
      taken = std::min<uint64_t>(size, payload_left_ + padding_left_);
      error_ = TakeBody(bytes, taken);
    } else {
      taken = std::min<size_t>(size, SEGURO_RECORD_HEADER_BYTES - head_size_);
      std::memcpy(head_ + head_size_, bytes, taken);
      head_size_ += static_cast<uint32_t>(taken);
      if (head_size_ == SEGURO_RECORD_HEADER_BYTES) {
        error_ = Start();
      }
    }
    bytes += taken;
    size -= taken;
    if (in_body_ && error_ == nullptr && payload_left_ + padding_left_ == 0) {
      Finish();
    }
  }
  if (id_ >= stop_at) {
    // Also the beginning of a later event is forgotten, so that the next bytes may start with that event's header again.
    head_size_ = 0;
    in_body_ = false;
  }
  return error_;
}

const char *DigestCore::Start() {
  seguro_record_header header = seguro_record_load(head_);
  if (header.id != id_ + 1) {
    return "a record's id does not follow the one before";
  }
  if (header.flags != 0) {
    return "a record's flags are not 0";
  }
  if (header.length_bytes > SEGURO_EVENT_BYTES_MAX) {
    return "a record's length is beyond what an event can have";
  }
  head_size_ = 0;
  in_body_ = true;
  length_bytes_ = payload_left_ = header.length_bytes;
  padding_left_ = seguro_record_bytes(length_bytes_) - SEGURO_RECORD_HEADER_BYTES - length_bytes_;
  payload_.Begin();
  return nullptr;
}

const char *DigestCore::TakeBody(const uint8_t *bytes, size_t size) {
  size_t payload = std::min<uint64_t>(size, payload_left_);
  for (size_t at = 0; at < payload; at += kStepBytes) {
    size_t step = std::min(payload - at, kStepBytes);
    // What is hashed was written by another thread a moment ago: asked for a step ahead, it has come from there in time. Beyond the end it does no harm.
    for (size_t line = 0; line < step; line += kLineBytes) __builtin_prefetch(bytes + at + kStepBytes + line);
    payload_.Add(bytes + at, step);
  }
  payload_left_ -= payload;
  for (size_t i = payload; i < size; i++) {
    if (bytes[i] != 0) {
      return "a record's padding is not zero";
    }
  }
  padding_left_ -= size - payload;
  return nullptr;
}

void DigestCore::Finish() {
  uint8_t link[kSha256Bytes + 16 + kSha256Bytes];
  std::memcpy(link, digest_, kSha256Bytes);
  seguro_store_u64(link + kSha256Bytes, id_ + 1);
  seguro_store_u64(link + kSha256Bytes + 8, length_bytes_);
  payload_.End(link + kSha256Bytes + 16);
  link_.Begin();
  link_.Add(link, sizeof link);
  link_.End(digest_);
  id_++;
  in_body_ = false;
}

}  // namespace seguro
