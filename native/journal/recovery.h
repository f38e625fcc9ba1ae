// What a log's folder holds: which segments there are, which of them matter above `applied`, and every whole record in these.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "journal/log.h"
#include "journal/scan.h"

namespace seguro::journal {

class Recovery {
 public:
  /// `writable`: what is in memory is flushed before it is read, and files that were never finished are removed.
  Recovery(Disk &disk, const Options &options, uint64_t applied, bool writable);

  /// Opens the files. Throws Failure; damage only collects.
  void FindSegments();
  /// Whether there is any file of a log.
  bool found() const { return !segments_.empty() || !headless_.empty(); }
  /// Gives whole records above `applied` to `visit` up to the first damage, or, if it is to `go_on`, also those behind it.
  void ReadRecords(const Visitor &visit, bool go_on);

  /// Makes all of the chain doubtful.
  void DropChain() { EndChainAt(0); }

  const std::vector<DamageReport> &damage() const { return damage_; }
  /// Where the log ends, or, with damage, where it is still whole: segments, oldest first; the last one's `end_bytes` is the place. May be empty.
  std::vector<Segment> &chain() { return chain_; }
  /// Nothing was ever written behind that place.
  bool clean() const { return clean_; }
  const Expected &next() const { return next_; }
  /// Files that hold nothing which is still needed, to be used again; files to be removed; with damage, those whose content is in doubt.
  std::vector<Segment> &reusable() { return reusable_; }
  std::vector<Segment> &useless() { return useless_; }
  std::vector<Segment> &doubtful() { return doubtful_; }

  uint64_t log_id() const { return log_id_; }
  uint32_t greatest_generation() const { return greatest_generation_; }
  uint64_t greatest_file_number() const { return greatest_file_number_; }
  uint64_t read_bytes() const { return read_bytes_; }
  uint64_t records() const { return records_; }

 private:
  /// A file without a good header. What its sectors say of it may be nothing.
  struct Headless {
    Segment segment;
    const char *what;
    uint32_t generation = 0;
    uint64_t first_sequence = 0;
    uint64_t last_sequence = 0;
    bool reported = false;
  };

  void OpenSegment(const std::string &name, uint64_t number);
  void ExamineHeadless();
  void FindChain();
  Headless *HeadlessOf(uint32_t generation);
  std::vector<Segment>::iterator SegmentBefore(const Headless &headless);
  bool ReadUpToGap(size_t index);
  void Report(const std::string &file, const Wrong &wrong, uint64_t first_lost, uint64_t last_lost);
  bool ReadSegment(size_t index, const Visitor &visit, bool go_on);
  void Give(const Visitor &visit, uint64_t sequence, const uint8_t *sectors, uint64_t payload_bytes);
  uint64_t GreatestBehind(size_t index, uint64_t greatest);
  void EndChainAt(size_t index);
  void SortOut();
  void ReportWhatElseIsWrong();

  Disk &disk_;
  const Options &options_;
  const uint64_t applied_;
  const bool writable_;

  std::vector<Segment> segments_;
  std::vector<Headless> headless_;
  // Of segments in the chain whose successor has lost its header.
  std::map<uint32_t, Headless *> gaps_;
  std::vector<Segment> chain_, reusable_, useless_, doubtful_;
  std::vector<DamageReport> damage_;
  std::vector<uint8_t> payload_;
  bool clean_ = true;
  Expected next_;
  uint64_t log_id_ = 0;
  uint32_t greatest_generation_ = 0;
  uint64_t greatest_file_number_ = 0;
  uint64_t read_bytes_ = 0;
  uint64_t records_ = 0;
};

}  // namespace seguro::journal
