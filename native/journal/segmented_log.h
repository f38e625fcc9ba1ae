// The log behind log.h: one segment that is written, others that wait to be released, and some that are ready.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "journal/log.h"
#include "journal/record.h"
#include "journal/recovery.h"
#include "journal/segment.h"

namespace seguro::journal {

class SegmentedLog : public Log {
 public:
  SegmentedLog(Disk &disk, const Options &options, Recovery *recovery);

  uint64_t Append(std::span<const iovec> pieces) override;
  uint64_t record_bytes_max() const override;
  void Release(uint64_t sequence) override;
  bool Prepare() override;
  bool wants_preparation() const override;
  uint64_t log_id() const override { return log_id_; }
  uint64_t last_sequence() const override { return last_sequence_; }
  Figures figures() const override;

 private:
  // On the appending thread.
  void EnsureRoom(uint64_t extent_bytes);
  void Begin(uint64_t extent_bytes);
  SegmentHeader NextHeader(const Segment &segment);
  std::optional<Segment> TakeReady();
  Segment ReadySegment();

  // With preparing_ held.
  enum class Step { kDone, kNothing, kFailed };
  Step PrepareStep();
  Step RemoveUseless();
  Step MakeReady();
  bool ReuseReleased();
  void SetTrouble(const Failure &failure);

  Disk &disk_;
  const Options options_;
  const uint64_t log_id_;

  // The appending thread's own.
  RecordBuffer buffer_;
  uint32_t checksum_ = 0;         // of the last record
  uint32_t last_generation_ = 0;  // given to any segment
  Segment *newest_ = nullptr;     // the last of unreleased_, which stays where it is
  bool continues_ = false;        // it takes further records

  std::atomic<uint64_t> last_sequence_{0};
  std::atomic<uint64_t> released_{0};

  /// One preparation at a time; taken before mutex_.
  mutable std::mutex preparing_;
  uint64_t last_file_number_ = 0;

  /// Guards everything below; held for moments only.
  mutable std::mutex mutex_;
  std::deque<Segment> unreleased_;  // oldest first; the last one is being written
  std::deque<Segment> ready_;
  std::vector<Segment> useless_;  // to be removed
  std::optional<Failure> trouble_;
  Figures figures_;
};

}  // namespace seguro::journal
