// The fields of a segment's header and of a record's head, byte by byte, and how many sectors a record takes.
#pragma once

#include <cstdint>
#include <string>

#include "journal/sector.h"

namespace seguro::journal {

/// The first sector of a segment. The rest of its block is the prewritten pattern, for ever.
struct SegmentHeader {
  uint64_t log_id = 0;
  uint64_t file_number = 0;
  uint64_t segment_bytes = 0;
  uint32_t generation = 0;  // 0: never used
  // Where the log comes from: the segment before this one ended there, whatever lies behind. 0: there is none.
  uint32_t previous_generation = 0;
  uint64_t previous_end_bytes = 0;
  bool previous_failed = false;    // a write into it failed: its file is not used again
  uint64_t first_sequence = 0;     // of the first record here, written or not
  uint32_t previous_checksum = 0;  // of the record before that one
};

constexpr size_t kHeaderBytes = kBlockBytes;

/// Makes the whole block at `block`.
void WriteHeader(uint8_t *block, const SegmentHeader &header);
/// What is wrong with the first sector of file `file_number`, or nullptr.
const char *ReadHeader(const uint8_t *block, uint64_t file_number, SegmentHeader *header);

/// The first bytes of a record's first sector.
struct RecordHead {
  uint64_t sequence = 0;
  uint64_t payload_bytes = 0;
  uint32_t previous_checksum = 0;  // of the record before
  uint32_t checksum = 0;           // of this one (record.h)
};

constexpr size_t kRecordHeadBytes = 32;
constexpr size_t kRecordChecksumAt = 28;

void WriteRecordHead(uint8_t *sector, const RecordHead &head);
/// False if these bytes are no head.
bool ReadRecordHead(const uint8_t *sector, RecordHead *head);

/// Bytes of a segment that a record takes: whole blocks.
constexpr uint64_t ExtentBytes(uint64_t payload_bytes) {
  return (kRecordHeadBytes + payload_bytes + kBlockContentBytes - 1) / kBlockContentBytes * kBlockBytes;
}
/// Greatest payload in a segment of that size.
constexpr uint64_t PayloadBytesMax(uint64_t segment_bytes) {
  return (segment_bytes - kHeaderBytes) / kBlockBytes * kBlockContentBytes - kRecordHeadBytes;
}

/// "0000000007.segment".
std::string SegmentName(uint64_t file_number);
/// The number in such a name, or 0.
uint64_t SegmentNumber(const std::string &name);
/// A segment that is not yet made whole has this behind its name.
inline constexpr char kUnfinishedSuffix[] = ".new";
/// Folders with what was cut begin with this.
inline constexpr char kAsidePrefix[] = "cut-";

}  // namespace seguro::journal
