// Recovery's first half: the files of the folder and their headers.
#include <algorithm>
#include <cerrno>

#include "journal/recovery.h"

namespace seguro::journal {

Recovery::Recovery(Disk &disk, const Options &options, uint64_t applied, bool writable)
    : disk_(disk), options_(options), applied_(applied), writable_(writable), log_id_(options.log_id) {}

void Recovery::FindSegments() {
  std::vector<std::string> names;
  int rc = disk_.List(options_.dir, &names);
  if (rc == -ENOENT) return;
  if (rc != 0) throw Failure::From(rc, "list " + options_.dir);
  // A process that was killed may have left names, and removals, that only memory knows: what is decided on them has to stay so.
  if (writable_) rc = disk_.SyncDirectory(options_.dir);
  if (rc != 0) throw Failure::From(rc, "flush the folder " + options_.dir);
  std::sort(names.begin(), names.end());
  for (const std::string &name : names) {
    uint64_t number = SegmentNumber(name);
    if (number != 0) {
      OpenSegment(name, number);
    } else if (writable_ && name.ends_with(kUnfinishedSuffix)) {
      // Never had its final name, so it never held anything.
      rc = disk_.Unlink(options_.dir + "/" + name);
      if (rc != 0) throw Failure::From(rc, "remove " + options_.dir + "/" + name);
    }
  }
  ExamineHeadless();
}

void Recovery::OpenSegment(const std::string &name, uint64_t number) {
  Segment segment;
  segment.path = options_.dir + "/" + name;
  greatest_file_number_ = std::max(greatest_file_number_, number);
  int rc = disk_.Open(segment.path, writable_, &segment.file);
  // A process that was killed may have left in memory what never reached the device: what is read below has to be there.
  if (rc == 0 && writable_) rc = segment.file->Flush();
  if (rc != 0) throw Failure::From(rc, "open " + segment.path);
  int64_t size = segment.file->Size();
  if (size < 0) throw Failure::From(static_cast<int>(size), "look at " + segment.path);

  SegmentImage start(*segment.file, segment.path, 2 * kBlockBytes);
  read_bytes_ += start.size();
  const char *what = ReadHeader(start.data(), number, &segment.header);
  if (what == nullptr && log_id_ == 0) log_id_ = segment.header.log_id;
  if (what == nullptr && segment.header.log_id != log_id_) what = "the segment belongs to another log";
  if (what == nullptr && segment.header.segment_bytes != static_cast<uint64_t>(size))
    what = "the file has not the length that it was made with";
  if (what != nullptr) {
    segment.header = SegmentHeader{};
    segment.header.file_number = number;
    segment.header.segment_bytes = static_cast<uint64_t>(size);
    headless_.push_back(Headless{std::move(segment), what});
    return;
  }
  greatest_generation_ = std::max(greatest_generation_, segment.header.generation);
  Sealer sealer(segment.header.log_id, number);
  for (uint64_t offset = kHeaderBytes; offset < start.size(); offset += kSectorBytes) {
    Stamp stamp;
    if (!sealer.Check(start.data() + offset, offset, &stamp) || stamp.generation <= segment.header.generation) continue;
    // A lost header would hide the whole segment: its first record bears witness.
    headless_.push_back(Headless{std::move(segment), "the segment's newer header is lost"});
    return;
  }
  segments_.push_back(std::move(segment));
}

void Recovery::ExamineHeadless() {
  for (Headless &headless : headless_) {
    Segment &segment = headless.segment;
    uint64_t size = segment.header.segment_bytes / kBlockBytes * kBlockBytes;
    if (size <= kHeaderBytes) continue;
    SegmentImage image(*segment.file, segment.path, size);
    read_bytes_ += size;
    Sealer sealer(log_id_, segment.header.file_number);
    for (uint64_t offset = kHeaderBytes; offset < size; offset += kSectorBytes) {
      Stamp stamp;
      if (!sealer.Check(image.data() + offset, offset, &stamp) || stamp.generation < std::max(headless.generation, uint32_t{1})) continue;
      if (stamp.generation > headless.generation || stamp.sequence < headless.first_sequence) headless.first_sequence = stamp.sequence;
      if (stamp.generation > headless.generation || stamp.sequence > headless.last_sequence) headless.last_sequence = stamp.sequence;
      headless.generation = stamp.generation;
    }
    greatest_generation_ = std::max(greatest_generation_, headless.generation);
  }
}

}  // namespace seguro::journal
