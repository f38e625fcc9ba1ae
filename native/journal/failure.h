// What the log throws: full, failed, read-only, damaged.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace seguro::journal {

enum class FailureKind {
  kFull,      // no room; nothing was written that counts; goes on by itself as soon as there is room
  kReadOnly,  // the file system takes no writes (or not ours)
  kFailed,    // the device or the file system failed; what was being written may turn up at the next opening, whole, or not at all
  kDamaged,   // what is on the disk is not what was written there; see Damage
  kMissing,   // there is no log, and none is to be created
};

class Failure : public std::runtime_error {
 public:
  Failure(FailureKind kind, const std::string &message, int error = 0) : std::runtime_error(message), kind_(kind), error_(error) {}

  FailureKind kind() const { return kind_; }
  /// The code of src/store/errors.ts that it means to a caller: "store-full", "store-readonly", "store-failed", "store-damaged", "store-missing".
  const char *code() const;
  /// The errno value, or 0.
  int error() const { return error_; }

  /// What the system's error `error` (an errno value, negated or not) means, while doing `step` ("writing /path").
  static Failure From(int error, const std::string &step);

 private:
  FailureKind kind_;
  int error_;
};

/// Where a log is damaged and what that costs. Sequences are those of records.
struct DamageReport {
  std::string file;           // complete path; empty where a file is missing
  uint64_t offset_bytes = 0;  // first bytes that are not what they have to be
  std::string what;           // one sentence about these bytes
  // What going on without the damaged part would lose: records from `first_lost` on, up to `last_lost`, the greatest one of which anything on the disk
  // bears witness (some of them may be whole: Inspect shows these). 0 where nothing does: the bytes may have been the last record, or none.
  uint64_t first_lost = 0;
  uint64_t last_lost = 0;
  // Records before the damage, all whole and readable; `readable_last` < `readable_first` when there are none.
  uint64_t readable_first = 0;
  uint64_t readable_last = 0;
};

class Damage : public Failure {
 public:
  explicit Damage(DamageReport report);
  const DamageReport &report() const { return report_; }

 private:
  DamageReport report_;
};

}  // namespace seguro::journal
