// Segments ahead of need: released ones used again, new ones made, useless ones removed; and the figures.
#include <algorithm>
#include <cerrno>

#include "journal/segmented_log.h"

namespace seguro::journal {

void SegmentedLog::Release(uint64_t sequence) {
  uint64_t released = released_;
  while (released < sequence && !released_.compare_exchange_weak(released, sequence)) {
  }
}

bool SegmentedLog::wants_preparation() const {
  std::lock_guard lock(mutex_);
  bool released = unreleased_.size() > 1 && unreleased_.front().last_sequence <= released_;
  return !useless_.empty() || released || ready_.size() < options_.segments_ahead;
}

bool SegmentedLog::Prepare() {
  std::lock_guard preparing(preparing_);
  {
    std::lock_guard lock(mutex_);
    bool released = unreleased_.size() > 1 && unreleased_.front().last_sequence <= released_;
    if (useless_.empty() && !released && ready_.size() >= options_.segments_ahead) return false;
  }
  return PrepareStep() == Step::kDone;
}

SegmentedLog::Step SegmentedLog::PrepareStep() {
  try {
    // First, because what follows a failed segment in the log may be used again only when that one's file is gone: its header alone says so.
    if (Step step = RemoveUseless(); step != Step::kNothing) return step;
    if (ReuseReleased()) return Step::kDone;
    return MakeReady();
  } catch (const Failure &failure) {
    SetTrouble(failure);
  } catch (const std::bad_alloc &) {
    SetTrouble(Failure::From(ENOMEM, "make a segment"));
  }
  return Step::kFailed;
}

void SegmentedLog::SetTrouble(const Failure &failure) {
  std::lock_guard lock(mutex_);
  trouble_ = failure;
}

SegmentedLog::Step SegmentedLog::RemoveUseless() {
  std::vector<std::string> paths;
  {
    std::lock_guard lock(mutex_);
    for (const Segment &segment : useless_) paths.push_back(segment.path);
    // The last file says that there is a log at all.
    if (!paths.empty() && unreleased_.empty() && ready_.empty()) paths.pop_back();
  }
  if (paths.empty()) return Step::kNothing;
  for (const std::string &path : paths) {
    int rc = disk_.Unlink(path);
    if (rc != 0 && rc != -ENOENT) throw Failure::From(rc, "remove " + path);
  }
  int rc = disk_.SyncDirectory(options_.dir);
  if (rc != 0) throw Failure::From(rc, "flush the folder " + options_.dir);
  // Closed outside the lock: that frees the file's space.
  std::vector<Segment> removed;
  std::lock_guard lock(mutex_);
  figures_.preparation_flushes++;
  for (size_t i = 0; i < paths.size(); i++) removed.push_back(std::move(useless_[i]));
  useless_.erase(useless_.begin(), useless_.begin() + static_cast<ptrdiff_t>(paths.size()));
  trouble_.reset();
  return Step::kDone;
}

bool SegmentedLog::ReuseReleased() {
  std::lock_guard lock(mutex_);
  // The newest one stays: it says where the log ends.
  if (unreleased_.size() < 2 || unreleased_.front().last_sequence > released_) return false;
  Segment segment = std::move(unreleased_.front());
  unreleased_.pop_front();
  bool useful = !segment.failed && segment.header.segment_bytes == options_.segment_bytes && ready_.size() <= options_.segments_ahead;
  if (useful) {
    ready_.push_back(std::move(segment));
    trouble_.reset();
  } else {
    useless_.push_back(std::move(segment));
  }
  return true;
}

SegmentedLog::Step SegmentedLog::MakeReady() {
  Cost cost;
  auto count = [&] {
    figures_.preparation_bytes += cost.written_bytes;
    figures_.preparation_flushes += cost.flushes;
  };
  try {
    Segment segment = MakeSegment(disk_, options_.dir, log_id_, ++last_file_number_, options_.segment_bytes, &cost);
    std::lock_guard lock(mutex_);
    count();
    ready_.push_back(std::move(segment));
    trouble_.reset();
    return Step::kDone;
  } catch (const Failure &failure) {
    std::lock_guard lock(mutex_);
    count();
    trouble_ = failure;
    return Step::kFailed;
  }
}

Figures SegmentedLog::figures() const {
  std::lock_guard lock(mutex_);
  Figures figures = figures_;
  figures.last_sequence = last_sequence_;
  figures.released_sequence = released_;
  figures.segments_ready = ready_.size();
  figures.segments_unreleased = unreleased_.size();
  figures.segments = ready_.size() + unreleased_.size() + useless_.size();
  auto count = [&](const Segment &segment) { figures.bytes_on_disk += segment.header.segment_bytes; };
  std::for_each(ready_.begin(), ready_.end(), count);
  std::for_each(unreleased_.begin(), unreleased_.end(), count);
  std::for_each(useless_.begin(), useless_.end(), count);
  for (const Segment &segment : ready_) figures.room_bytes += PayloadBytesMax(segment.header.segment_bytes);
  if (!unreleased_.empty() && !unreleased_.back().failed) {
    const Segment &newest = unreleased_.back();
    figures.room_bytes += (newest.header.segment_bytes - newest.end_bytes) / kBlockBytes * kBlockContentBytes;
  }
  if (trouble_) figures.trouble = trouble_->what();
  return figures;
}

}  // namespace seguro::journal
