// Reading one segment record by record, and telling an unfinished end from damage (docs/journal.md, "Recovery").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "journal/segment.h"

namespace seguro::journal {

/// What is wrong, and where.
struct Wrong {
  uint64_t offset_bytes = 0;
  std::string what;
};

/// The record that comes next.
struct Expected {
  uint64_t sequence = 0;
  uint32_t previous_checksum = 0;
};

class SegmentScan {
 public:
  /// `end_bytes`: where the segment ended, as its successor says; 0 for the log's last segment, whose end is to be found.
  SegmentScan(const SegmentImage &image, const SegmentHeader &header, uint64_t end_bytes);

  using Take = std::function<void(uint64_t sequence, const uint8_t *sectors, uint64_t payload_bytes)>;

  /// Gives whole records to `take` and moves `next` and `end_bytes()` behind each, up to the end, to `stop_sequence` or to damage, which is returned.
  std::optional<Wrong> Read(Expected *next, uint64_t stop_sequence, const Take &take);
  /// Behind damage: gives further whole records, wherever they begin, that are not older than `next`.
  void ReadBehindDamage(Expected *next, const Take &take);

  /// Behind the last whole record.
  uint64_t end_bytes() const { return at_; }
  /// After `Read`, of the last segment: nothing was ever written behind the end.
  bool clean() const { return clean_; }
  /// The greatest sequence of which any sector bears witness.
  uint64_t GreatestSequence() const;

 private:
  enum class State {
    kWhole,
    kNone,   // its first sector holds what was there before
    kTorn,   // some sectors hold what was there before, the others are good
    kWrong,  // neither: see wrong_
  };
  /// What a single sector is.
  enum class Kind { kNew, kOld, kLater, kBad };

  Kind KindOf(uint64_t offset, Stamp *stamp) const;
  State Look(uint64_t at, const Expected &expected, bool chained);
  State LookAtHead(uint64_t at, const Expected &expected, bool chained);
  State LookAtBody(uint64_t at, uint64_t sequence);
  /// False with wrong_ when anything behind the last whole record is neither old nor a part of the one unfinished record.
  bool CheckTail(State state, const Expected &expected);
  State SayWrong(uint64_t offset, std::string what);
  State SayBad(uint64_t offset, Kind kind);

  const SegmentImage &image_;
  const SegmentHeader &header_;
  Sealer sealer_;
  uint64_t limit_bytes_;
  bool last_;
  uint64_t at_ = kHeaderBytes;
  bool clean_ = true;
  Wrong wrong_;
  // Of the record looked at last.
  RecordHead head_;
  uint64_t extent_bytes_ = 0;
};

}  // namespace seguro::journal
