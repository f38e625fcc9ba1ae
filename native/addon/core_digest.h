// The digest chain over events (docs/protocol.md, "Digest"), fed with a record stream cut anywhere. No N-API here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sha256.h"
#include "wire/record.h"

namespace seguro {

/**
 * Follows the framing of records and their ids, not their checksums: it is fed with what was checked before. One thread at a time.
 * After an error it stays at the last whole event and takes nothing more.
 */
class DigestCore {
 public:
  DigestCore(uint64_t id, const uint8_t digest[kSha256Bytes]) : id_(id) { std::memcpy(digest_, digest, kSha256Bytes); }

  /** Extends the chain; ignores everything after event `stop_at`. Returns null, or what is wrong with the stream. */
  const char *Advance(const uint8_t *bytes, size_t size, uint64_t stop_at);

  uint64_t id() const { return id_; }
  const uint8_t *digest() const { return digest_; }

 private:
  const char *Start();
  const char *TakeBody(const uint8_t *bytes, size_t size);
  void Finish();

  uint64_t id_;
  uint8_t digest_[kSha256Bytes];
  const char *error_ = nullptr;
  uint32_t head_size_ = 0;
  bool in_body_ = false;
  uint8_t head_[SEGURO_RECORD_HEADER_BYTES];
  uint64_t length_bytes_ = 0;
  uint64_t payload_left_ = 0;
  uint64_t padding_left_ = 0;
  Sha256 payload_;
  Sha256 link_;
};

}  // namespace seguro
