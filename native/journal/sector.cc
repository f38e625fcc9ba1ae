// Stamps: u64 sequence at 496, u32 generation at 504 (greatest bit: a record begins), u32 checksum at 508.
#include "journal/sector.h"

#include "wire/bytes.h"
#include "wire/crc32c.h"

namespace seguro::journal {

constexpr size_t kSequenceAt = 496;
constexpr size_t kGenerationAt = 504;
constexpr size_t kChecksumAt = 508;
constexpr uint32_t kFirstBit = 0x80000000;

Sealer::Sealer(uint64_t log_id, uint64_t file_number) {
  uint8_t name[16];
  seguro_store_u64(name, log_id);
  seguro_store_u64(name + 8, file_number);
  seed_ = seguro_crc32c(0, name, sizeof name);
}

uint32_t Sealer::Checksum(const uint8_t *sector, uint64_t offset_bytes) const {
  uint8_t place[8];
  seguro_store_u64(place, offset_bytes);
  return seguro_crc32c(seguro_crc32c(seed_, place, sizeof place), sector, kChecksumAt);
}

uint32_t Sealer::Seal(uint8_t *sector, uint64_t offset_bytes, const Stamp &stamp) const {
  seguro_store_u64(sector + kSequenceAt, stamp.sequence);
  seguro_store_u32(sector + kGenerationAt, stamp.generation | (stamp.first ? kFirstBit : 0));
  uint32_t checksum = Checksum(sector, offset_bytes);
  seguro_store_u32(sector + kChecksumAt, checksum);
  return checksum;
}

bool Sealer::Check(const uint8_t *sector, uint64_t offset_bytes, Stamp *stamp) const {
  if (ChecksumOf(sector) != Checksum(sector, offset_bytes)) return false;
  uint32_t generation = seguro_load_u32(sector + kGenerationAt);
  *stamp = Stamp{seguro_load_u64(sector + kSequenceAt), generation & kGenerationMax, (generation & kFirstBit) != 0};
  return true;
}

uint32_t Sealer::ChecksumOf(const uint8_t *sector) { return seguro_load_u32(sector + kChecksumAt); }

}  // namespace seguro::journal
