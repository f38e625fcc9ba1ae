// Headers and heads, written and read.
#include "journal/format.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "wire/bytes.h"

namespace seguro::journal {

constexpr uint64_t kHeaderMagic = 0x314c4e524a534753;  // "SGSJRNL1"
constexpr uint32_t kVersion = 1;
constexpr uint32_t kRecordMagic = 0x3152534a;  // "JSR1"

void WriteHeader(uint8_t *block, const SegmentHeader &header) {
  std::memset(block, 0, kHeaderBytes);
  seguro_store_u64(block, kHeaderMagic);
  seguro_store_u32(block + 8, kVersion);
  seguro_store_u32(block + 12, kSectorBytes);
  seguro_store_u64(block + 16, header.log_id);
  seguro_store_u64(block + 24, header.file_number);
  seguro_store_u64(block + 32, header.segment_bytes);
  seguro_store_u32(block + 40, header.generation);
  seguro_store_u32(block + 44, header.previous_generation);
  seguro_store_u64(block + 48, header.previous_end_bytes);
  seguro_store_u64(block + 56, header.first_sequence);
  seguro_store_u32(block + 64, header.previous_checksum);
  seguro_store_u32(block + 68, header.previous_failed ? 1 : 0);
  Sealer sealer(header.log_id, header.file_number);
  sealer.Seal(block, 0, Stamp{0, header.generation, false});
  for (size_t at = kSectorBytes; at < kHeaderBytes; at += kSectorBytes) sealer.Seal(block + at, at, Stamp{});
}

const char *ReadHeader(const uint8_t *block, uint64_t file_number, SegmentHeader *header) {
  if (seguro_load_u64(block) != kHeaderMagic) return "the segment's header is not there";
  header->log_id = seguro_load_u64(block + 16);
  Stamp stamp;
  if (!Sealer(header->log_id, file_number).Check(block, 0, &stamp)) return "the segment's header does not match its checksum";
  if (seguro_load_u32(block + 8) != kVersion || seguro_load_u32(block + 12) != kSectorBytes) {
    return "the segment's header is of a version that this program does not know";
  }
  header->file_number = seguro_load_u64(block + 24);
  header->segment_bytes = seguro_load_u64(block + 32);
  header->generation = seguro_load_u32(block + 40);
  header->previous_generation = seguro_load_u32(block + 44);
  header->previous_end_bytes = seguro_load_u64(block + 48);
  header->first_sequence = seguro_load_u64(block + 56);
  header->previous_checksum = seguro_load_u32(block + 64);
  header->previous_failed = seguro_load_u32(block + 68) != 0;
  bool sound = header->file_number == file_number && stamp.generation == header->generation && header->generation <= kGenerationMax &&
               header->segment_bytes % kBlockBytes == 0 && header->segment_bytes >= 2 * kBlockBytes &&
               (header->generation == 0 || (header->first_sequence > 0 && header->previous_generation < header->generation));
  return sound ? nullptr : "the segment's header contradicts itself";
}

void WriteRecordHead(uint8_t *sector, const RecordHead &head) {
  seguro_store_u32(sector, kRecordMagic);
  seguro_store_u32(sector + 4, 0);
  seguro_store_u64(sector + 8, head.sequence);
  seguro_store_u64(sector + 16, head.payload_bytes);
  seguro_store_u32(sector + 24, head.previous_checksum);
  seguro_store_u32(sector + kRecordChecksumAt, head.checksum);
}

bool ReadRecordHead(const uint8_t *sector, RecordHead *head) {
  head->sequence = seguro_load_u64(sector + 8);
  head->payload_bytes = seguro_load_u64(sector + 16);
  head->previous_checksum = seguro_load_u32(sector + 24);
  head->checksum = seguro_load_u32(sector + kRecordChecksumAt);
  return seguro_load_u32(sector) == kRecordMagic && seguro_load_u32(sector + 4) == 0;
}

std::string SegmentName(uint64_t file_number) {
  char name[40];
  std::snprintf(name, sizeof name, "%010" PRIu64 ".segment", file_number);
  return name;
}

uint64_t SegmentNumber(const std::string &name) {
  uint64_t number = 0;
  for (char letter : name) {
    if (letter < '0' || letter > '9' || number > UINT64_MAX / 20) break;
    number = number * 10 + static_cast<uint64_t>(letter - '0');
  }
  return name == SegmentName(number) ? number : 0;
}

}  // namespace seguro::journal
