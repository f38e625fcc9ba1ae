// A commit log in prewritten segments: one record, one flush; read back whole at the next opening (docs/journal.md).
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "journal/disk.h"
#include "journal/failure.h"

namespace seguro::journal {

/// Greatest payload of one record, in segments of the default size.
constexpr uint64_t kRecordBytesMax = uint64_t{48} << 20;
constexpr uint64_t kSegmentBytesDefault = uint64_t{64} << 20;
constexpr uint64_t kSegmentBytesMin = uint64_t{16} << 10;
constexpr uint64_t kSegmentBytesMax = uint64_t{1} << 30;

struct Options {
  /// Folder of the log's own: nothing else may lie in it. Its parent exists.
  std::string dir;
  /// Which log it is: every sector is checked against it. 0: whichever is there; at creation a random one.
  uint64_t log_id = 0;
  /// Make a log where there is none. Only for a base that has never seen a record.
  bool create = false;
  /// Of segments that are made from now on; a multiple of 4096. Those that are there keep their size.
  uint64_t segment_bytes = kSegmentBytesDefault;
  /// Segments that are kept ready beside the one being written.
  uint32_t segments_ahead = 2;
};

/// Counted since `Open`, except where it says otherwise.
struct Figures {
  uint64_t log_id = 0;
  uint64_t last_sequence = 0;      // of the newest durable record, ever
  uint64_t released_sequence = 0;  // see Log::Release
  uint64_t segments = 0;           // files there are now: being written, not yet released, and ready
  uint64_t segments_ready = 0;
  uint64_t segments_unreleased = 0;
  uint64_t bytes_on_disk = 0;        // of these files
  uint64_t room_bytes = 0;           // payload that fits into what is prepared, roughly
  uint64_t records = 0;              // appended
  uint64_t record_bytes = 0;         // their payload
  uint64_t written_bytes = 0;        // what was written for them, stamps and padding included
  uint64_t flushes = 0;              // durable writes for them: one each
  uint64_t preparation_bytes = 0;    // written to make segments, headers included
  uint64_t preparation_flushes = 0;  // for making and beginning segments
  uint64_t segments_begun = 0;
  uint64_t segments_abandoned = 0;   // after a failed write or flush
  uint64_t recovered_records = 0;    // that Open gave to its visitor
  uint64_t recovery_read_bytes = 0;  // that Open read
  std::string trouble;               // why no segment can be made ahead at present, or empty
};

/// A whole record; the bytes are valid during the call only.
using Visitor = std::function<void(uint64_t sequence, std::span<const uint8_t> bytes)>;

class Log {
 public:
  /// Opens or creates a log and gives every record with a sequence above `applied` (what the base holds durably) to `visit`, in order, without a
  /// gap. What it gives is durable. Throws Damage when a record may be missing or is not what was written (then whatever was visited before
  /// stays true; nothing on the disk was changed), and Failure. The caller holds a lock that keeps every other process away.
  static std::unique_ptr<Log> Open(Disk &disk, const Options &options, uint64_t applied, const Visitor &visit);

  virtual ~Log() = default;
  Log(const Log &) = delete;
  Log &operator=(const Log &) = delete;

  /// Writes one record, the pieces in a row, and returns its sequence once it is durable: one more than the record's before. One thread at a time.
  /// A device that fails is tried once more in the next segment. Throws Failure; after each kind `Append` may be called again:
  /// kFull: there is no prepared room and none can be made; it works again by itself when there is. kReadOnly and kFailed: not acknowledged; until
  /// the next successful Append the record may turn up at an opening, whole, or not at all. Throws std::length_error above `record_bytes_max()`.
  virtual uint64_t Append(std::span<const iovec> pieces) = 0;
  /// Greatest payload of one record: kRecordBytesMax, less in small segments.
  virtual uint64_t record_bytes_max() const = 0;

  /// Everything up to `sequence` is durable elsewhere and will not be asked for again: segments that hold nothing above are used again. Any thread; quick.
  virtual void Release(uint64_t sequence) = 0;

  /// Makes and prewrites one segment ahead of need, or removes what is not needed any more, one step a call; false when there is nothing to do at
  /// present (or nothing that can be done: Figures::trouble). For a thread of its own, which calls it until it says false, and again after each
  /// Release and each time that `wants_preparation()`, and every second or so while there is trouble. Throws nothing.
  virtual bool Prepare() = 0;
  /// Whether `Prepare` would try something. Any thread, cheap: to be asked after each Append.
  virtual bool wants_preparation() const = 0;

  virtual uint64_t log_id() const = 0;
  virtual uint64_t last_sequence() const = 0;
  /// Any thread.
  virtual Figures figures() const = 0;

 protected:
  Log() = default;
};

/// What `Cut` did.
struct CutReport {
  DamageReport damage;     // what it was asked to go on from
  uint64_t last_kept = 0;  // the log ends with this record now
  std::string aside;       // folder that holds a copy of everything cut: whole segment files, as they were
  uint64_t aside_files = 0;
};

/// Ends a damaged log before its damage, for good, after the operator has said so (`seguro repair --cut`): whatever lies there and behind is copied
/// aside first and never read again. A log that is gone begins anew behind `applied`, if `options` say which one it was. Throws Failure; kMissing if there
/// is no damage. After a crash at any moment it may be called again.
CutReport Cut(Disk &disk, const Options &options, uint64_t applied);

/// What `ReadBeforeDamage` found.
struct BeforeDamage {
  std::vector<DamageReport> damage;  // empty if all is well
  uint64_t last_kept = 0;            // with this record the log would end after a `Cut`; at least `applied`
};

/// Shows, in order and without a gap, the records above `applied` that a `Cut` would keep: with those the log is what it was at an earlier moment. Changes
/// nothing. A log that is gone, and of which a base knows (`options.log_id`), is damaged as well.
BeforeDamage ReadBeforeDamage(Disk &disk, const Options &options, uint64_t applied, const Visitor &visit);

/// Reads like `Open` but changes nothing and goes on behind damage: every whole record above `applied` that is still readable is visited, in order, with
/// gaps where something is lost. Returns everything that is wrong, nothing if all is well. For `seguro verify` and for saving what can be saved.
std::vector<DamageReport> Inspect(Disk &disk, const Options &options, uint64_t applied, const Visitor &visit);

}  // namespace seguro::journal
