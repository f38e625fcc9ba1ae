// One file of the log: made and prewritten, begun (its header written), read whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "journal/aligned.h"
#include "journal/disk.h"
#include "journal/format.h"

namespace seguro::journal {

struct Segment {
  std::string path;
  std::unique_ptr<DiskFile> file;
  SegmentHeader header;
  /// Behind the last whole record.
  uint64_t end_bytes = kHeaderBytes;
  /// The last record in it or before it.
  uint64_t last_sequence = 0;
  /// A write into it failed: what lies behind `end_bytes` is unknown, and the file is not used again.
  bool failed = false;
};

/// What making a segment cost.
struct Cost {
  uint64_t written_bytes = 0;
  uint64_t flushes = 0;
};

/// Makes the file under a passing name, writes the pattern into all of it, flushes it, gives it its name and flushes that: a file with a segment's name is
/// whole. Throws Failure; what is left of the attempt then is removed at once, or at the next opening.
Segment MakeSegment(Disk &disk, const std::string &dir, uint64_t log_id, uint64_t file_number, uint64_t segment_bytes, Cost *cost);

/// Writes `header` into an unused segment, durably. Returns 0 or an errno value negated: then the file must not be used.
int BeginSegment(Segment *segment, const SegmentHeader &header, Cost *cost);

/// What a segment holds, from its first byte to some limit.
class SegmentImage {
 public:
  /// Reads `size` bytes; blocks that the device cannot read hold zeros, which are never a valid sector. Throws Failure for other errors.
  SegmentImage(DiskFile &file, const std::string &path, uint64_t size);
  const uint8_t *data() const { return bytes_.get(); }
  uint64_t size() const { return size_; }
  /// Whether the block with this offset could not be read.
  bool Unreadable(uint64_t offset_bytes) const;

 private:
  void ReadPiece(DiskFile &file, const std::string &path, uint64_t offset, uint64_t size);

  AlignedBytes bytes_;
  uint64_t size_;
  std::vector<uint64_t> unreadable_blocks_;
};

}  // namespace seguro::journal
