// Records laid out in sectors for one write, and their payload taken out of sectors again.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>

#include "journal/aligned.h"
#include "journal/format.h"

namespace seguro::journal {

/// Where a record goes.
struct RecordPlace {
  uint64_t sequence = 0;
  uint32_t generation = 0;
  uint64_t offset_bytes = 0;
  uint32_t previous_checksum = 0;
};

/// Memory in which records are made ready, used again and again.
class RecordBuffer {
 public:
  /// Copies the pieces into stamped sectors: the only copy a payload sees. Returns the record's checksum.
  uint32_t Fill(const Sealer &sealer, const RecordPlace &place, std::span<const iovec> pieces, uint64_t payload_bytes);
  const uint8_t *data() const { return bytes_.get(); }
  size_t size() const { return size_; }
  /// Gives memory back that only a huge record needed.
  void Trim();

 private:
  AlignedBytes bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

/// The checksum of a record whose sectors are all good, as `RecordBuffer::Fill` made it: CRC32C of the first sector's content (with this very field as
/// 0), then of the checksum of each further sector.
uint32_t RecordChecksum(const uint8_t *sectors, size_t extent_bytes);

/// Copies the payload of a record from its sectors.
void CopyPayload(const uint8_t *sectors, uint64_t payload_bytes, uint8_t *to);

}  // namespace seguro::journal
