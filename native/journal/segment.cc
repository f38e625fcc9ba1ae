// Making, beginning and reading segments.
#include "journal/segment.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "journal/failure.h"

namespace seguro::journal {

/// Bytes of one write or read.
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;

static int WriteAll(DiskFile &file, const uint8_t *bytes, uint64_t size, uint64_t offset) {
  while (size > 0) {
    int64_t wrote = file.Write(bytes, size, offset);
    if (wrote < 0) return static_cast<int>(wrote);
    if (wrote == 0 || wrote % static_cast<int64_t>(kSectorBytes) != 0) return -EIO;
    bytes += wrote;
    size -= static_cast<uint64_t>(wrote);
    offset += static_cast<uint64_t>(wrote);
  }
  return 0;
}

/// The header of generation 0 and the pattern behind it.
static int WritePattern(DiskFile &file, const SegmentHeader &header, Cost *cost) {
  uint64_t piece_bytes = std::min(kPieceBytes, header.segment_bytes);
  AlignedBytes piece = AllocateAligned(piece_bytes);
  Sealer sealer(header.log_id, header.file_number);
  for (uint64_t offset = 0; offset < header.segment_bytes; offset += piece_bytes) {
    uint64_t size = std::min(piece_bytes, header.segment_bytes - offset);
    std::memset(piece.get(), 0, size);
    for (uint64_t at = 0; at < size; at += kSectorBytes) sealer.Seal(piece.get() + at, offset + at, Stamp{});
    if (offset == 0) WriteHeader(piece.get(), header);
    if (int rc = WriteAll(file, piece.get(), size, offset); rc != 0) return rc;
    cost->written_bytes += size;
  }
  return 0;
}

Segment MakeSegment(Disk &disk, const std::string &dir, uint64_t log_id, uint64_t file_number, uint64_t segment_bytes, Cost *cost) {
  Segment segment;
  segment.path = dir + "/" + SegmentName(file_number);
  segment.header.log_id = log_id;
  segment.header.file_number = file_number;
  segment.header.segment_bytes = segment_bytes;
  std::string unfinished = segment.path + kUnfinishedSuffix;
  int rc = disk.Create(unfinished, &segment.file);
  if (rc == -EEXIST) {
    // Of an attempt whose removal failed.
    rc = disk.Unlink(unfinished);
    if (rc == 0) rc = disk.Create(unfinished, &segment.file);
  }
  if (rc != 0) throw Failure::From(rc, "create " + unfinished);
  rc = segment.file->Allocate(segment_bytes);
  if (rc == 0) rc = WritePattern(*segment.file, segment.header, cost);
  if (rc == 0) {
    cost->flushes++;
    rc = segment.file->Flush();
  }
  if (rc == 0) rc = disk.Rename(unfinished, segment.path);
  if (rc != 0) {
    disk.Unlink(unfinished);
    throw Failure::From(rc, "make " + unfinished);
  }
  cost->flushes++;
  rc = disk.SyncDirectory(dir);
  if (rc != 0) {
    // Whether the name will last is not known: the file is not used.
    disk.Unlink(segment.path);
    throw Failure::From(rc, "flush the folder " + dir);
  }
  return segment;
}

int BeginSegment(Segment *segment, const SegmentHeader &header, Cost *cost) {
  AlignedBytes block = AllocateAligned(kHeaderBytes);
  WriteHeader(block.get(), header);
  cost->written_bytes += kHeaderBytes;
  cost->flushes++;
  int rc = segment->file->WriteDurably(block.get(), kHeaderBytes, 0);
  if (rc != 0) return rc;
  segment->header = header;
  segment->end_bytes = kHeaderBytes;
  segment->last_sequence = header.first_sequence - 1;
  return 0;
}

SegmentImage::SegmentImage(DiskFile &file, const std::string &path, uint64_t size) : bytes_(AllocateAligned(size)), size_(size) {
  for (uint64_t offset = 0; offset < size; offset += kPieceBytes) ReadPiece(file, path, offset, std::min(kPieceBytes, size - offset));
}

void SegmentImage::ReadPiece(DiskFile &file, const std::string &path, uint64_t offset, uint64_t size) {
  uint8_t *at = bytes_.get() + offset;
  uint64_t done = 0;
  while (done < size) {
    int64_t got = file.Read(at + done, size - done, offset + done);
    // A short read that is no whole block, or none at all: the file ends there.
    uint64_t whole = got > 0 ? static_cast<uint64_t>(got) / kBlockBytes * kBlockBytes : 0;
    if (got == -EIO && size > kBlockBytes) {
      // Which blocks it is.
      for (uint64_t block = done; block < size; block += kBlockBytes) ReadPiece(file, path, offset + block, kBlockBytes);
      return;
    }
    if (got < 0 && got != -EIO) throw Failure::From(static_cast<int>(got), "read " + path);
    if (whole == 0) {
      std::memset(at + done, 0, size - done);
      if (got < 0) unreadable_blocks_.push_back(offset + done);
      return;
    }
    done += whole;
  }
}

bool SegmentImage::Unreadable(uint64_t offset_bytes) const {
  uint64_t block = offset_bytes / kBlockBytes * kBlockBytes;
  return std::find(unreadable_blocks_.begin(), unreadable_blocks_.end(), block) != unreadable_blocks_.end();
}

}  // namespace seguro::journal
