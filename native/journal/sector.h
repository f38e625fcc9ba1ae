// A sector of a segment: 496 bytes of content and a stamp, by which a reader tells what it is, whose, and that it lies where it was meant to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace seguro::journal {

/// What a disk writes as a whole: after a crash it holds its old or its new content.
constexpr size_t kSectorBytes = 512;
constexpr size_t kSectorContentBytes = 496;
/// What records and headers begin at and are multiples of. No write touches a block that holds something acknowledged.
constexpr size_t kBlockBytes = 4096;
constexpr size_t kBlockSectors = kBlockBytes / kSectorBytes;
constexpr size_t kBlockContentBytes = kBlockSectors * kSectorContentBytes;
/// Greater ones are no generations: the bit says that a record begins.
constexpr uint32_t kGenerationMax = 0x7fffffff;

/// The stamp's fields. The prewritten pattern has generation 0, sequence 0 and content of zeros.
struct Stamp {
  uint64_t sequence = 0;    // of the record that the sector belongs to
  uint32_t generation = 0;  // of the segment when it was written
  bool first = false;       // a record begins here
  bool operator==(const Stamp &) const = default;
};

/// Stamps and checks sectors of one file of one log. The checksum covers content, stamp, log, file and position, so that a sector which was written
/// elsewhere is never valid here: two positions of one file never have the same checksum for the same bytes.
class Sealer {
 public:
  Sealer(uint64_t log_id, uint64_t file_number);

  /// Writes the stamp behind the content at `sector`, which is to lie at `offset_bytes` of the file. Returns the checksum.
  uint32_t Seal(uint8_t *sector, uint64_t offset_bytes, const Stamp &stamp) const;
  /// False if these are not 512 bytes that were sealed for this place.
  bool Check(const uint8_t *sector, uint64_t offset_bytes, Stamp *stamp) const;
  /// Checksum of a sector that `Check` has found good.
  static uint32_t ChecksumOf(const uint8_t *sector);

 private:
  uint32_t Checksum(const uint8_t *sector, uint64_t offset_bytes) const;

  uint32_t seed_;
};

}  // namespace seguro::journal
