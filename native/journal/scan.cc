// The walk over one segment's sectors.
#include "journal/scan.h"

#include <algorithm>

#include "journal/record.h"

namespace seguro::journal {

SegmentScan::SegmentScan(const SegmentImage &image, const SegmentHeader &header, uint64_t end_bytes)
    : image_(image),
      header_(header),
      sealer_(header.log_id, header.file_number),
      limit_bytes_(end_bytes == 0 ? image.size() : end_bytes),
      last_(end_bytes == 0) {}

SegmentScan::Kind SegmentScan::KindOf(uint64_t offset, Stamp *stamp) const {
  if (!sealer_.Check(image_.data() + offset, offset, stamp)) return Kind::kBad;
  if (stamp->generation == header_.generation) return Kind::kNew;
  return stamp->generation < header_.generation ? Kind::kOld : Kind::kLater;
}

SegmentScan::State SegmentScan::SayWrong(uint64_t offset, std::string what) {
  wrong_ = Wrong{offset, std::move(what)};
  return State::kWrong;
}

SegmentScan::State SegmentScan::SayBad(uint64_t offset, Kind kind) {
  if (kind == Kind::kLater) return SayWrong(offset, "a sector of a later generation than its segment: the segment's newer header is lost");
  if (image_.Unreadable(offset)) return SayWrong(offset, "the device cannot read this block");
  return SayWrong(offset, "a sector that is neither what was written there nor what was there before");
}

SegmentScan::State SegmentScan::Look(uint64_t at, const Expected &expected, bool chained) {
  State state = LookAtHead(at, expected, chained);
  return state == State::kWhole ? LookAtBody(at, head_.sequence) : state;
}

SegmentScan::State SegmentScan::LookAtHead(uint64_t at, const Expected &expected, bool chained) {
  Stamp stamp;
  Kind kind = KindOf(at, &stamp);
  if (kind == Kind::kOld) return State::kNone;
  if (kind != Kind::kNew) return SayBad(at, kind);
  if (stamp.sequence != expected.sequence && chained) {
    return SayWrong(at, "record " + std::to_string(stamp.sequence) + " where record " + std::to_string(expected.sequence) + " has to be");
  }
  if (!stamp.first) return SayWrong(at, "the inner part of a record where one has to begin");
  if (!ReadRecordHead(image_.data() + at, &head_) || head_.sequence != stamp.sequence)
    return SayWrong(at, "a record whose head makes no sense");
  if (head_.payload_bytes > PayloadBytesMax(header_.segment_bytes) || ExtentBytes(head_.payload_bytes) > limit_bytes_ - at) {
    return SayWrong(at, "a record that is longer than what is left of its segment");
  }
  if (chained && head_.previous_checksum != expected.previous_checksum) {
    return SayWrong(at, "a record that was not written behind the one before it");
  }
  extent_bytes_ = ExtentBytes(head_.payload_bytes);
  return State::kWhole;
}

SegmentScan::State SegmentScan::LookAtBody(uint64_t at, uint64_t sequence) {
  bool torn = false;
  for (uint64_t offset = at + kSectorBytes; offset < at + extent_bytes_; offset += kSectorBytes) {
    Stamp stamp;
    Kind kind = KindOf(offset, &stamp);
    if (kind == Kind::kOld) {
      torn = true;
    } else if (kind != Kind::kNew) {
      return SayBad(offset, kind);
    } else if (stamp.sequence != sequence || stamp.first) {
      return SayWrong(offset, "a sector of record " + std::to_string(stamp.sequence) + " within record " + std::to_string(sequence));
    }
  }
  if (torn) return State::kTorn;
  if (RecordChecksum(image_.data() + at, extent_bytes_) != head_.checksum) return SayWrong(at, "a record that does not match its checksum");
  return State::kWhole;
}

bool SegmentScan::CheckTail(State state, const Expected &expected) {
  // Without its first sector nobody knows how long the unfinished record was to be: it may reach to the segment's end.
  uint64_t unfinished_end = state == State::kTorn ? at_ + extent_bytes_ : limit_bytes_;
  clean_ = state == State::kNone;
  for (uint64_t offset = at_ + kSectorBytes; offset < limit_bytes_; offset += kSectorBytes) {
    Stamp stamp;
    Kind kind = KindOf(offset, &stamp);
    if (kind == Kind::kOld) continue;
    if (kind != Kind::kNew) {
      SayBad(offset, kind);
      return false;
    }
    if (stamp.sequence != expected.sequence || stamp.first || offset >= unfinished_end) {
      SayWrong(at_, "record " + std::to_string(expected.sequence) + " is not there, but record " + std::to_string(stamp.sequence) +
                        " was written behind it (at byte " + std::to_string(offset) + ")");
      return false;
    }
    clean_ = false;
  }
  return true;
}

std::optional<Wrong> SegmentScan::Read(Expected *next, uint64_t stop_sequence, const Take &take) {
  for (uint64_t offset = kSectorBytes; offset < kHeaderBytes; offset += kSectorBytes) {
    Stamp stamp;
    if (KindOf(offset, &stamp) != Kind::kOld || stamp != Stamp{}) {
      SayBad(offset, Kind::kBad);
      return wrong_;
    }
  }
  while (at_ < limit_bytes_ && next->sequence < stop_sequence) {
    State state = Look(at_, *next, true);
    if (state == State::kWrong) return wrong_;
    if (state != State::kWhole) {
      if (last_) return CheckTail(state, *next) ? std::nullopt : std::optional(wrong_);
      SayWrong(at_, "record " + std::to_string(next->sequence) + " is not there, or not whole, but later segments were written behind it");
      return wrong_;
    }
    take(head_.sequence, image_.data() + at_, head_.payload_bytes);
    *next = Expected{head_.sequence + 1, head_.checksum};
    at_ += extent_bytes_;
  }
  return std::nullopt;
}

void SegmentScan::ReadBehindDamage(Expected *next, const Take &take) {
  for (uint64_t at = at_; at < limit_bytes_;) {
    Stamp stamp;
    bool whole =
        KindOf(at, &stamp) == Kind::kNew && stamp.first && stamp.sequence >= next->sequence && Look(at, *next, false) == State::kWhole;
    if (whole) {
      take(head_.sequence, image_.data() + at, head_.payload_bytes);
      *next = Expected{head_.sequence + 1, head_.checksum};
    }
    at += whole ? extent_bytes_ : kBlockBytes;
  }
}

uint64_t SegmentScan::GreatestSequence() const {
  uint64_t greatest = 0;
  for (uint64_t offset = kHeaderBytes; offset < limit_bytes_; offset += kSectorBytes) {
    Stamp stamp;
    if (KindOf(offset, &stamp) == Kind::kNew) greatest = std::max(greatest, stamp.sequence);
  }
  return greatest;
}

}  // namespace seguro::journal
