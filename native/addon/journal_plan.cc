// One pass over what the overlay deletes, one over what it puts, both in the order of keys beside a cursor of the catalogue.
#include "journal_plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "kv_failure.h"
#include "wire/crc32c.h"

namespace seguro {

static constexpr uint64_t kRunAlignBytes = 4096;

static KvSlice SliceOf(const std::string &text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }

JournalPlan::JournalPlan(LmdbStore &catalogue, JournalFiles &files, const JournalView &view, uint64_t next_file)
    : files_(files), view_(view), next_file_(next_file) {
  LmdbReader reader(catalogue);
  LmdbReader rows_reader(catalogue);
  reader_ = &reader;
  rows_reader_ = &rows_reader;
  ReleaseCovered();
  PlaceValues();
  reader_ = rows_reader_ = nullptr;
}

JournalFileRow &JournalPlan::RowOf(const std::string &log, uint64_t file) {
  auto [found, added] = rows_.try_emplace({log, file});
  if (added) {
    std::string key = JournalFileRowKey(log, file);
    KvSlice stored{};
    if (reader_->Get(SliceOf(key), &stored)) found->second = JournalLoadFileRow(SliceOf(key), stored);
  }
  return found->second;
}

void JournalPlan::Release(const KvSlice &key, const KvSlice &stored) {
  JournalPlace place = JournalLoadPlace(key, stored);
  std::string log = JournalLogOf(key);
  JournalFileRow &row = RowOf(log, place.file);
  if (row.live_values == 0) throw KvFailure("store-damaged", "the catalogue has lost count of a file of " + JournalLogText(log));
  row.live_values--;
}

void JournalPlan::ReleaseCovered() {
  for (const JournalCover::Interval &interval : view_.moment.cover->intervals()) {
    for (bool on = reader_->SeekFrom(SliceOf(interval.from)); on && KvCompare(reader_->key(), SliceOf(interval.to)) < 0;
         on = reader_->Next()) {
      if (JournalIsFiled(reader_->key())) Release(reader_->key(), reader_->value());
    }
  }
}

void JournalPlan::PlaceValues() {
  JournalOverlayCursor cursor(view_);
  bool on_row = false;
  bool sought = false;
  for (bool on = cursor.SeekFrom({nullptr, 0}); on; on = cursor.Next()) {
    KvSlice key = cursor.key();
    if (!JournalIsFiled(key)) continue;
    // Events are appended: then one look says that nothing is there for all of them.
    if (!sought || (on_row && KvCompare(reader_->key(), key) < 0)) on_row = reader_->SeekFrom(key);
    sought = true;
    if (on_row && KvCompare(reader_->key(), key) == 0 && view_.moment.cover->Find(key) == nullptr) Release(key, reader_->value());
    if (cursor.present()) Place(key, cursor.value());
  }
}

bool JournalPlan::Tail(const std::string &log, uint64_t *file) {
  std::string last = JournalFileRowKey(log, UINT64_MAX);
  std::string found;
  // No file has the greatest number.
  if (!rows_reader_->SeekBefore(SliceOf(last)) || !JournalIsFileRow(rows_reader_->key(), &found, file) || found != log) return false;
  if (files_.abandoned(*file)) return false;
  struct stat info {};
  // What was lost there is reported to those who read it. It must not keep others from being written.
  return stat(files_.PathOf({log, *file}).c_str(), &info) == 0 && static_cast<uint64_t>(info.st_size) >= RowOf(log, *file).end;
}

void JournalPlan::BeginRun(const std::string &log, size_t first_bytes) {
  bool same_log = !runs_.empty() && runs_.back().id.log == log;
  uint64_t file = 0;
  if (!same_log && Tail(log, &file)) {
    uint64_t end = RowOf(log, file).end;
    uint64_t begin = (end + kRunAlignBytes - 1) / kRunAlignBytes * kRunAlignBytes;
    if (begin + first_bytes <= files_.file_bytes_max()) {
      runs_.push_back({{log, file}, false, end, begin, begin, {}});
      run_row_ = &RowOf(log, file);
      return;
    }
  }
  runs_.push_back({{log, next_file_}, true, 0, 0, 0, {}});
  run_row_ = &RowOf(log, next_file_++);
}

void JournalPlan::Place(const KvSlice &key, const KvSlice &value) {
  bool same_log = !runs_.empty() && memcmp(runs_.back().id.log.data(), key.data, kJournalLogBytes) == 0;
  if (!same_log || runs_.back().end + value.size > files_.file_bytes_max()) BeginRun(JournalLogOf(key), value.size);
  JournalRun &run = runs_.back();
  uint32_t crc32c = seguro_crc32c(seguro_crc32c(0, key.data, key.size), value.data, value.size);
  run.values.push_back({key, value, {run.id.file, run.end, static_cast<uint32_t>(value.size), crc32c}});
  run.end += value.size;
  run_row_->end = run.end;
  run_row_->live_values++;
}

void JournalPlan::Renumber(JournalRun *run, uint64_t file) {
  auto row = rows_.extract({run->id.log, run->id.file});
  row.key().second = file;
  rows_.insert(std::move(row));
  run->id.file = file;
  for (JournalRun::Value &value : run->values) value.place.file = file;
  next_file_ = std::max(next_file_, file + 1);
}

}  // namespace seguro
