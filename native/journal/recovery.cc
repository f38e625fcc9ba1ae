// Recovery's second half: the chain of segments back to what the base holds, and the records in it.
#include "journal/recovery.h"

#include <algorithm>

#include "journal/record.h"

namespace seguro::journal {

void Recovery::Report(const std::string &file, const Wrong &wrong, uint64_t first_lost, uint64_t last_lost) {
  DamageReport report;
  report.file = file;
  report.offset_bytes = wrong.offset_bytes;
  report.what = wrong.what;
  report.first_lost = first_lost;
  report.last_lost = last_lost >= first_lost ? last_lost : 0;
  report.readable_first = applied_ + 1;
  report.readable_last = first_lost - 1;
  damage_.push_back(std::move(report));
}

void Recovery::FindChain() {
  std::sort(segments_.begin(), segments_.end(),
            [](const Segment &a, const Segment &b) { return a.header.generation < b.header.generation; });
  for (size_t i = 1; i < segments_.size(); i++) {
    if (segments_[i].header.generation == 0 || segments_[i].header.generation != segments_[i - 1].header.generation) continue;
    throw Failure(FailureKind::kDamaged,
                  segments_[i].path + " and " + segments_[i - 1].path + " say that they are the same part of the log");
  }
  if (segments_.empty() || segments_.back().header.generation == 0) return;
  for (;;) {
    uint32_t wanted = chain_.empty() ? segments_.back().header.generation : chain_.front().header.previous_generation;
    auto found = std::find_if(segments_.begin(), segments_.end(), [&](const Segment &s) { return s.header.generation == wanted; });
    const SegmentHeader *behind = chain_.empty() ? nullptr : &chain_.front().header;
    bool fits = wanted != 0 && found != segments_.end() &&
                (behind == nullptr || (behind->previous_end_bytes % kBlockBytes == 0 && behind->previous_end_bytes >= kHeaderBytes &&
                                       behind->previous_end_bytes <= found->header.segment_bytes));
    Headless *headless = fits ? nullptr : HeadlessOf(wanted);
    if (headless != nullptr && SegmentBefore(*headless) != segments_.end()) {
      // What lies before the one that has lost its header is found by what that one holds.
      found = SegmentBefore(*headless);
      gaps_[found->header.generation] = headless;
      behind = nullptr;
    } else if (!fits) {
      Report("", Wrong{0, "the segment before " + chain_.front().path + " is missing"}, applied_ + 1, behind->first_sequence - 1);
      return;
    }
    found->failed = behind != nullptr && behind->previous_failed;
    chain_.insert(chain_.begin(), std::move(*found));
    segments_.erase(found);
    if (chain_.front().header.first_sequence <= applied_ + 1) return;
  }
}

Recovery::Headless *Recovery::HeadlessOf(uint32_t generation) {
  for (Headless &headless : headless_) {
    if (generation != 0 && headless.generation == generation) return &headless;
  }
  return nullptr;
}

std::vector<Segment>::iterator Recovery::SegmentBefore(const Headless &headless) {
  auto before = segments_.end();
  for (auto at = segments_.begin(); at != segments_.end(); ++at) {
    const SegmentHeader &header = at->header;
    // One that begins with the same record was begun in vain.
    if (header.generation != 0 && header.generation < headless.generation && header.first_sequence < headless.first_sequence) before = at;
  }
  return before;
}

bool Recovery::ReadUpToGap(size_t index) {
  auto gap = gaps_.find(chain_[index].header.generation);
  if (gap == gaps_.end()) return true;
  Headless &headless = *gap->second;
  headless.reported = true;
  Report(headless.segment.path, Wrong{0, headless.what}, std::max(next_.sequence, applied_ + 1),
         GreatestBehind(index, headless.last_sequence));
  return false;
}

void Recovery::Give(const Visitor &visit, uint64_t sequence, const uint8_t *sectors, uint64_t payload_bytes) {
  if (sequence <= applied_) return;
  payload_.resize(payload_bytes);
  CopyPayload(sectors, payload_bytes, payload_.data());
  visit(sequence, payload_);
  records_++;
}

uint64_t Recovery::GreatestBehind(size_t index, uint64_t greatest) {
  for (size_t i = index + 1; i < chain_.size(); i++) {
    const Segment &segment = chain_[i];
    greatest = std::max(greatest, segment.header.first_sequence - 1);
    if (i + 1 < chain_.size()) continue;
    SegmentImage image(*segment.file, segment.path, segment.header.segment_bytes);
    read_bytes_ += image.size();
    greatest = std::max(greatest, SegmentScan(image, segment.header, 0).GreatestSequence());
  }
  return greatest;
}

bool Recovery::ReadSegment(size_t index, const Visitor &visit, bool go_on) {
  Segment &segment = chain_[index];
  bool gap = gaps_.contains(segment.header.generation);
  const SegmentHeader *behind = index + 1 < chain_.size() && !gap ? &chain_[index + 1].header : nullptr;
  SegmentImage image(*segment.file, segment.path, behind != nullptr ? behind->previous_end_bytes : segment.header.segment_bytes);
  read_bytes_ += image.size();
  SegmentScan scan(image, segment.header, behind != nullptr ? behind->previous_end_bytes : 0);
  // What a file without a good header holds of later generation was written anew there, and is not true here.
  uint64_t stop_sequence = UINT64_MAX;
  for (const Headless &headless : headless_) {
    if (headless.generation > segment.header.generation) stop_sequence = std::min(stop_sequence, headless.first_sequence);
  }
  auto take = [&](uint64_t sequence, const uint8_t *sectors, uint64_t payload_bytes) { Give(visit, sequence, sectors, payload_bytes); };
  std::optional<Wrong> wrong = scan.Read(&next_, stop_sequence, take);
  if (!wrong && behind != nullptr && (next_.sequence != behind->first_sequence || next_.previous_checksum != behind->previous_checksum)) {
    wrong = Wrong{scan.end_bytes(), "the segment does not end with the record that its successor continues"};
  }
  segment.end_bytes = scan.end_bytes();
  segment.last_sequence = next_.sequence - 1;
  clean_ = scan.clean();
  if (!wrong) return true;
  Report(segment.path, *wrong, std::max(next_.sequence, applied_ + 1), GreatestBehind(index, scan.GreatestSequence()));
  if (go_on) scan.ReadBehindDamage(&next_, take);
  return false;
}

void Recovery::EndChainAt(size_t index) {
  clean_ = false;
  for (size_t i = index; i < chain_.size(); i++) doubtful_.push_back(std::move(chain_[i]));
  chain_.resize(index);
}

void Recovery::ReadRecords(const Visitor &visit, bool go_on) {
  FindChain();
  next_ = Expected{1, 0};
  if (!damage_.empty() && !go_on) {
    // The chain does not reach back to the base: nothing of it can be used.
    next_ = Expected{applied_ + 1, 0};
    EndChainAt(0);
  } else if (!chain_.empty()) {
    next_ = Expected{chain_.front().header.first_sequence, chain_.front().header.previous_checksum};
  }
  for (size_t i = 0; i < chain_.size(); i++) {
    if (ReadSegment(i, visit, go_on) && ReadUpToGap(i)) continue;
    if (!go_on) {
      // A segment of which nothing is whole is of no use, and its header may be what is damaged.
      EndChainAt(chain_[i].end_bytes > kHeaderBytes ? i + 1 : i);
      break;
    }
    if (i + 1 < chain_.size()) next_ = Expected{chain_[i + 1].header.first_sequence, chain_[i + 1].header.previous_checksum};
  }
  ReportWhatElseIsWrong();
  SortOut();
}

void Recovery::ReportWhatElseIsWrong() {
  for (const Headless &headless : headless_) {
    if (headless.reported) continue;
    uint64_t first = next_.sequence;
    if (headless.first_sequence > applied_ && headless.first_sequence < first) first = headless.first_sequence;
    Report(headless.segment.path, Wrong{0, headless.what}, std::max(first, applied_ + 1), headless.last_sequence);
  }
  if (next_.sequence <= applied_ && damage_.empty()) {
    Report("",
           Wrong{0, "the log ends with record " + std::to_string(next_.sequence - 1) + ", but record " + std::to_string(applied_) +
                        " was taken from it: it is older than what was made of it"},
           applied_ + 1, 0);
  }
}

void Recovery::SortOut() {
  for (Headless &headless : headless_) doubtful_.push_back(std::move(headless.segment));
  std::set<uint32_t> failed;
  auto note = [&](const std::vector<Segment> &segments) {
    for (const Segment &segment : segments) {
      if (segment.header.previous_failed) failed.insert(segment.header.previous_generation);
    }
  };
  note(chain_);
  note(segments_);
  uint32_t oldest_needed = chain_.empty() ? 0 : chain_.front().header.generation;
  for (Segment &segment : segments_) {
    uint32_t generation = segment.header.generation;
    if (generation != 0 && generation >= oldest_needed && !damage_.empty()) {
      doubtful_.push_back(std::move(segment));
    } else if (generation > oldest_needed || failed.contains(generation) || segment.header.segment_bytes != options_.segment_bytes) {
      // Begun, but its header's write failed, and another took its place; or a write into it failed; or it was made in another size.
      useless_.push_back(std::move(segment));
    } else {
      reusable_.push_back(std::move(segment));
    }
  }
  segments_.clear();
}

}  // namespace seguro::journal
