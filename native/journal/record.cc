// The copy of a payload into sectors and out of them.
#include "journal/record.h"

#include <algorithm>
#include <cstring>

#include "wire/bytes.h"
#include "wire/crc32c.h"

namespace seguro::journal {

/// What stays allocated between records.
constexpr size_t kKeptBytes = size_t{4} << 20;

namespace {

/// Walks over the pieces of a gather list.
class PieceReader {
 public:
  explicit PieceReader(std::span<const iovec> pieces) : pieces_(pieces) {}

  /// Copies up to `size` bytes and returns how many there were.
  size_t Copy(uint8_t *to, size_t size) {
    size_t copied = 0;
    while (copied < size && !pieces_.empty()) {
      const iovec &piece = pieces_.front();
      size_t part = std::min(size - copied, piece.iov_len - taken_);
      if (part > 0) std::memcpy(to + copied, static_cast<const uint8_t *>(piece.iov_base) + taken_, part);
      copied += part;
      taken_ += part;
      if (taken_ == piece.iov_len) {
        pieces_ = pieces_.subspan(1);
        taken_ = 0;
      }
    }
    return copied;
  }

 private:
  std::span<const iovec> pieces_;
  size_t taken_ = 0;
};

}  // namespace

static uint32_t ExtendByNumber(uint32_t checksum, uint32_t number) {
  uint8_t bytes[4];
  seguro_store_u32(bytes, number);
  return seguro_crc32c(checksum, bytes, sizeof bytes);
}

uint32_t RecordBuffer::Fill(const Sealer &sealer, const RecordPlace &place, std::span<const iovec> pieces, uint64_t payload_bytes) {
  size_ = ExtentBytes(payload_bytes);
  if (size_ > capacity_) {
    capacity_ = 0;
    bytes_ = AllocateAligned(size_);
    capacity_ = size_;
  }
  uint8_t *first = bytes_.get();
  WriteRecordHead(first, RecordHead{place.sequence, payload_bytes, place.previous_checksum, 0});
  PieceReader reader(pieces);
  size_t copied = kRecordHeadBytes + reader.Copy(first + kRecordHeadBytes, kSectorContentBytes - kRecordHeadBytes);
  std::memset(first + copied, 0, kSectorContentBytes - copied);
  uint32_t checksum = seguro_crc32c(0, first, kSectorContentBytes);
  for (size_t at = kSectorBytes; at < size_; at += kSectorBytes) {
    uint8_t *sector = first + at;
    copied = reader.Copy(sector, kSectorContentBytes);
    if (copied < kSectorContentBytes) std::memset(sector + copied, 0, kSectorContentBytes - copied);
    uint32_t sealed = sealer.Seal(sector, place.offset_bytes + at, Stamp{place.sequence, place.generation, false});
    checksum = ExtendByNumber(checksum, sealed);
  }
  seguro_store_u32(first + kRecordChecksumAt, checksum);
  sealer.Seal(first, place.offset_bytes, Stamp{place.sequence, place.generation, true});
  return checksum;
}

void RecordBuffer::Trim() {
  if (capacity_ <= kKeptBytes) return;
  bytes_.reset();
  size_ = capacity_ = 0;
}

uint32_t RecordChecksum(const uint8_t *sectors, size_t extent_bytes) {
  uint8_t first[kSectorContentBytes];
  std::memcpy(first, sectors, sizeof first);
  seguro_store_u32(first + kRecordChecksumAt, 0);
  uint32_t checksum = seguro_crc32c(0, first, sizeof first);
  for (size_t at = kSectorBytes; at < extent_bytes; at += kSectorBytes)
    checksum = ExtendByNumber(checksum, Sealer::ChecksumOf(sectors + at));
  return checksum;
}

void CopyPayload(const uint8_t *sectors, uint64_t payload_bytes, uint8_t *to) {
  size_t skipped = kRecordHeadBytes;
  while (payload_bytes > 0) {
    size_t part = std::min<uint64_t>(payload_bytes, kSectorContentBytes - skipped);
    std::memcpy(to, sectors + skipped, part);
    to += part;
    payload_bytes -= part;
    sectors += kSectorBytes;
    skipped = 0;
  }
}

}  // namespace seguro::journal
