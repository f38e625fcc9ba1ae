// What taking an overlay into the base will do to ship files: where each filed value goes, and which files lose what.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "journal_files.h"
#include "journal_overlay.h"
#include "journal_place.h"
#include "lmdb_reader.h"

namespace seguro {

/// Values that go into one file, one behind the other from `begin` on. They refer to the overlay.
struct JournalRun {
  struct Value {
    KvSlice key;
    KvSlice bytes;
    JournalPlace place;
  };

  JournalFileId id;
  bool created = false;  // else it is gone on with
  uint64_t old_end = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
  std::vector<Value> values;
};

/// One thread at a time, which is the only one that changes the base.
class JournalPlan {
 public:
  /// `next_file` is above all numbers of files that there ever were. Throws KvFailure.
  JournalPlan(LmdbStore &catalogue, JournalFiles &files, const JournalView &view, uint64_t next_file);
  JournalPlan(const JournalPlan &) = delete;
  JournalPlan &operator=(const JournalPlan &) = delete;

  /// In the order of the keys.
  std::vector<JournalRun> &runs() { return runs_; }
  /// A new file got another number than was planned.
  void Renumber(JournalRun *run, uint64_t file);

  using Rows = std::map<std::pair<std::string, uint64_t>, JournalFileRow>;
  /// Rows of files that change. Without live values the file is not needed any more.
  const Rows &rows() const { return rows_; }
  uint64_t next_file() const { return next_file_; }

 private:
  JournalFileRow &RowOf(const std::string &log, uint64_t file);
  void Release(const KvSlice &key, const KvSlice &stored);
  void ReleaseCovered();
  void PlaceValues();
  void Place(const KvSlice &key, const KvSlice &value);
  /// The newest file of the log, if it can be gone on with.
  bool Tail(const std::string &log, uint64_t *file);
  void BeginRun(const std::string &log, size_t first_bytes);

  JournalFiles &files_;
  const JournalView &view_;
  uint64_t next_file_;
  // Only while it is made: a reader that lives keeps LMDB from using pages again.
  LmdbReader *reader_ = nullptr;
  LmdbReader *rows_reader_ = nullptr;
  std::vector<JournalRun> runs_;
  Rows rows_;
  JournalFileRow *run_row_ = nullptr;  // of the last run's file
};

}  // namespace seguro
