// Opening and appending.
#include "journal/segmented_log.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "journal/check.h"

namespace seguro::journal {

/// How many segments one append may find failing before it gives up.
constexpr int kSegmentTriesMax = 2;

static void CheckOptions(const Options &options) {
  bool sound = options.segment_bytes % kBlockBytes == 0 && options.segment_bytes >= kSegmentBytesMin &&
               options.segment_bytes <= kSegmentBytesMax && options.segments_ahead > 0 && !options.dir.empty();
  if (!sound)
    throw std::invalid_argument("a journal has segments of 16 KiB to 1 GiB, multiples of 4096 bytes, and keeps at least one ahead");
}

static uint64_t RandomLogId() {
  uint64_t id = 0;
  while (id == 0) {
    if (getrandom(&id, sizeof id, 0) != sizeof id) throw Failure::From(errno, "make a random number");
  }
  return id;
}

static void MakeFolder(Disk &disk, const std::string &dir) {
  int rc = disk.MakeDirectory(dir);
  if (rc != 0 && rc != -EEXIST) throw Failure::From(rc, "create the folder " + dir);
  // Also where it was there: a process killed between making and flushing it leaves an entry that only memory holds.
  size_t slash = dir.find_last_of('/');
  std::string parent = slash == std::string::npos ? "." : dir.substr(0, std::max<size_t>(slash, 1));
  rc = disk.SyncDirectory(parent);
  if (rc != 0) throw Failure::From(rc, "flush the folder " + parent);
}

std::unique_ptr<Log> Log::Open(Disk &disk, const Options &options, uint64_t applied, const Visitor &visit) {
  CheckOptions(options);
  Recovery recovery(disk, options, applied, true);
  recovery.FindSegments();
  bool create = !recovery.found();
  if (create && !options.create) throw Failure(FailureKind::kMissing, "there is no journal in " + options.dir);
  if (create) MakeFolder(disk, options.dir);
  recovery.ReadRecords(visit, false);
  if (!recovery.damage().empty()) throw Damage(recovery.damage().front());
  auto log = std::make_unique<SegmentedLog>(disk, options, &recovery);
  log->Release(applied);
  // The first file is what says that there is a log, and which.
  if (create) log->Prepare();
  if (create && log->figures().segments == 0) throw Failure(FailureKind::kFull, log->figures().trouble);
  return log;
}

SegmentedLog::SegmentedLog(Disk &disk, const Options &options, Recovery *recovery)
    : disk_(disk), options_(options), log_id_(recovery->log_id() == 0 ? RandomLogId() : recovery->log_id()) {
  checksum_ = recovery->next().previous_checksum;
  last_sequence_ = recovery->next().sequence - 1;
  last_generation_ = recovery->greatest_generation();
  last_file_number_ = recovery->greatest_file_number();
  for (Segment &segment : recovery->chain()) unreleased_.push_back(std::move(segment));
  if (!unreleased_.empty()) newest_ = &unreleased_.back();
  continues_ = recovery->clean() && newest_ != nullptr;
  for (Segment &segment : recovery->reusable()) ready_.push_back(std::move(segment));
  useless_ = std::move(recovery->useless());
  figures_.log_id = log_id_;
  figures_.recovered_records = recovery->records();
  figures_.recovery_read_bytes = recovery->read_bytes();
}

uint64_t SegmentedLog::record_bytes_max() const { return std::min(kRecordBytesMax, PayloadBytesMax(options_.segment_bytes)); }

uint64_t SegmentedLog::Append(std::span<const iovec> pieces) {
  uint64_t payload_bytes = 0;
  for (const iovec &piece : pieces) payload_bytes += piece.iov_len;
  if (payload_bytes > record_bytes_max()) throw std::length_error("a record of " + std::to_string(payload_bytes) + " bytes");
  uint64_t extent_bytes = ExtentBytes(payload_bytes);
  uint64_t sequence = last_sequence_ + 1;
  int rc = 0;
  for (int tries = 0; tries < kSegmentTriesMax; tries++) {
    EnsureRoom(extent_bytes);
    // Only this thread changes the newest segment.
    Segment &segment = *newest_;
    Sealer sealer(log_id_, segment.header.file_number);
    RecordPlace place{sequence, segment.header.generation, segment.end_bytes, checksum_};
    uint32_t checksum = buffer_.Fill(sealer, place, pieces, payload_bytes);
    JOURNAL_CHECK(buffer_.size() == extent_bytes && segment.end_bytes + extent_bytes <= segment.header.segment_bytes);
    rc = segment.file->WriteDurably(buffer_.data(), extent_bytes, segment.end_bytes);
    buffer_.Trim();
    std::lock_guard lock(mutex_);
    figures_.flushes++;
    figures_.written_bytes += extent_bytes;
    if (rc == 0) {
      segment.end_bytes += extent_bytes;
      segment.last_sequence = sequence;
      checksum_ = checksum;
      last_sequence_ = sequence;
      figures_.records++;
      figures_.record_bytes += payload_bytes;
      return sequence;
    }
    // Nobody knows what lies behind its last record now. The next segment's header says where it ended.
    segment.failed = true;
    continues_ = false;
    figures_.segments_abandoned++;
  }
  throw Failure::From(rc, "write record " + std::to_string(sequence) + " to " + newest_->path);
}

void SegmentedLog::EnsureRoom(uint64_t extent_bytes) {
  if (!continues_ || extent_bytes > newest_->header.segment_bytes - newest_->end_bytes) Begin(extent_bytes);
}

SegmentHeader SegmentedLog::NextHeader(const Segment &segment) {
  JOURNAL_CHECK(last_generation_ < kGenerationMax);
  SegmentHeader header = segment.header;
  header.generation = ++last_generation_;
  header.previous_generation = 0;
  header.previous_end_bytes = 0;
  header.previous_failed = false;
  if (newest_ != nullptr) {
    header.previous_generation = newest_->header.generation;
    header.previous_end_bytes = newest_->end_bytes;
    header.previous_failed = newest_->failed;
    JOURNAL_CHECK(newest_->last_sequence == last_sequence_);
  }
  header.first_sequence = last_sequence_ + 1;
  header.previous_checksum = checksum_;
  return header;
}

void SegmentedLog::Begin(uint64_t extent_bytes) {
  int rc = 0;
  std::string path;
  for (int tries = 0; tries < kSegmentTriesMax;) {
    Segment segment = ReadySegment();
    path = segment.path;
    Cost cost;
    bool fits = extent_bytes <= segment.header.segment_bytes - kHeaderBytes;
    if (fits) {
      // From here on a header may say that the newest segment ended, even if writing it fails: nothing goes there any more.
      continues_ = false;
      rc = BeginSegment(&segment, NextHeader(segment), &cost);
      tries++;
    }
    std::lock_guard lock(mutex_);
    figures_.preparation_bytes += cost.written_bytes;
    figures_.preparation_flushes += cost.flushes;
    if (fits && rc == 0) {
      figures_.segments_begun++;
      unreleased_.push_back(std::move(segment));
      newest_ = &unreleased_.back();
      continues_ = true;
      return;
    }
    // Its header may be there or not; either way nothing follows it, and the next segment has a greater generation.
    if (fits) figures_.segments_abandoned++;
    useless_.push_back(std::move(segment));
  }
  throw Failure::From(rc, "begin " + path);
}

std::optional<Segment> SegmentedLog::TakeReady() {
  std::lock_guard lock(mutex_);
  if (ready_.empty()) return std::nullopt;
  Segment segment = std::move(ready_.front());
  ready_.pop_front();
  return segment;
}

Segment SegmentedLog::ReadySegment() {
  std::optional<Segment> segment = TakeReady();
  if (segment) return std::move(*segment);
  // Preparation is behind, or cannot go on: see which.
  std::lock_guard preparing(preparing_);
  for (;;) {
    segment = TakeReady();
    if (segment) return std::move(*segment);
    Step step = PrepareStep();
    if (step == Step::kDone) continue;
    std::lock_guard lock(mutex_);
    JOURNAL_CHECK(step == Step::kFailed && trouble_);
    throw *trouble_;
  }
}

}  // namespace seguro::journal
