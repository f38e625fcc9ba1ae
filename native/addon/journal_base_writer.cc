// Files first, then the transaction that refers to them.
#include "journal_base_writer.h"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "journal_file_writer.h"
#include "journal_place.h"
#include "kv_failure.h"

namespace seguro {

namespace {

/// The transaction that takes an overlay in; it refers to the view and to the plan.
class BaseTransaction {
 public:
  void DeleteRanges(const JournalCover &cover) {
    // What is deleted in whole ranges was deleted before anything of the overlay that is still there was put.
    for (const JournalCover::Interval &interval : cover.intervals()) {
      writes_.push_back({KvWrite::kDeleteRange, SliceOf(interval.from), SliceOf(interval.to), {}});
    }
  }

  /// Deletions, and values that lie in the catalogue itself.
  void WriteRows(const JournalView &view) {
    JournalOverlayCursor cursor(view);
    for (bool on = cursor.SeekFrom({nullptr, 0}); on; on = cursor.Next()) {
      if (!cursor.present()) {
        writes_.push_back({KvWrite::kDelete, cursor.key(), {}, {}});
      } else if (!JournalIsFiled(cursor.key())) {
        writes_.push_back({KvWrite::kPut, cursor.key(), {}, {cursor.value()}});
      }
    }
  }

  void WritePlaces(const std::vector<JournalRun> &runs) {
    for (const JournalRun &run : runs) {
      for (const JournalRun::Value &value : run.values) JournalStorePlace(Put(value.key, kJournalPlaceBytes), value.key, value.place);
    }
  }

  /// Gives the files that are not needed any more.
  std::vector<JournalFileId> WriteFileRows(const JournalPlan::Rows &rows) {
    std::vector<JournalFileId> unneeded;
    for (const auto &[id, row] : rows) {
      KvSlice key = SliceOf(keys_.emplace_back(JournalFileRowKey(id.first, id.second)));
      if (row.live_values > 0) {
        JournalStoreFileRow(Put(key, kJournalFileRowBytes), key, row);
      } else {
        writes_.push_back({KvWrite::kDelete, key, {}, {}});
        unneeded.push_back({id.first, id.second});
      }
    }
    return unneeded;
  }

  void WriteMark(const JournalMark &mark) { writes_.push_back(JournalMarkWrite(mark, values_.emplace_back().data())); }

  void Commit(LmdbStore &base) {
    KvGroup group(1);
    group.front().writes = std::move(writes_);
    base.Commit(group);
  }

 private:
  static KvSlice SliceOf(const std::string &text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }

  uint8_t *Put(const KvSlice &key, size_t size) {
    static_assert(kJournalPlaceBytes <= kValueBytesMax && kJournalFileRowBytes <= kValueBytesMax && kJournalMarkBytes <= kValueBytesMax);
    uint8_t *value = values_.emplace_back().data();
    writes_.push_back({KvWrite::kPut, key, {}, {KvSlice{value, size}}});
    return value;
  }

  static constexpr size_t kValueBytesMax = 32;
  std::vector<KvWrite> writes_;
  // They stay where they are when there are more.
  std::deque<std::array<uint8_t, kValueBytesMax>> values_;
  std::deque<std::string> keys_;
};

/// What the kernel has counted as written by this thread; 0 where it does not count.
uint64_t ThreadWrittenBytes() {
  FILE *file = std::fopen("/proc/thread-self/io", "re");
  if (file == nullptr) return 0;
  char line[128];
  uint64_t bytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "write_bytes: %" SCNu64, &bytes) == 1) break;
  }
  std::fclose(file);
  return bytes;
}

}  // namespace

void JournalBaseWriter::Write(LmdbStore &base, const JournalView &view, const JournalMark &mark) {
  if (plan_ == nullptr || taken_.overlay != view.overlay) WriteFiles(base, view);
  CommitCatalogue(base, mark);
  plan_ = nullptr;
  taken_ = JournalView();
}

void JournalBaseWriter::WriteFiles(LmdbStore &base, const JournalView &view) {
  taken_ = view;
  for (bool again = false;; again = true) {
    JournalMark before;
    JournalReadMark(base, &before);
    auto plan = std::make_unique<JournalPlan>(base, files_, taken_, before.next_file);
    uint64_t abandoned = files_.counts().abandoned;
    try {
      JournalWriteRuns(files_, *plan);
      plan_ = std::move(plan);
      return;
    } catch (const KvFailure &failure) {
      // What a ship file could not take is written once more, into a new one.
      if (again || std::string(failure.code()) != "store-failed" || files_.counts().abandoned == abandoned) throw;
    }
  }
}

void JournalBaseWriter::CommitCatalogue(LmdbStore &base, JournalMark mark) {
  BaseTransaction transaction;
  transaction.DeleteRanges(*taken_.moment.cover);
  transaction.WriteRows(taken_);
  transaction.WritePlaces(plan_->runs());
  std::vector<JournalFileId> unneeded = transaction.WriteFileRows(plan_->rows());
  mark.next_file = plan_->next_file();
  transaction.WriteMark(mark);
  uint64_t counted = ThreadWrittenBytes();
  transaction.Commit(base);
  files_.counts().catalogue_bytes += ThreadWrittenBytes() - counted;
  for (const JournalRun &run : plan_->runs()) {
    if (run.created) files_.counts().files++;
    files_.counts().file_bytes += run.end - run.old_end;
  }
  for (const JournalFileId &id : unneeded) {
    files_.counts().files--;
    files_.counts().file_bytes -= plan_->rows().at({id.log, id.file}).end;
  }
  if (!unneeded.empty()) files_.Doom(std::move(unneeded));
}

}  // namespace seguro
