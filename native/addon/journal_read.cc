// Reads of a journal store, each from one snapshot.
#include <cstring>

#include "journal_place.h"
#include "journal_store.h"
#include "kv_rows.h"

namespace seguro {

static KvSlice SliceOf(const std::vector<uint8_t> &bytes) { return {bytes.data(), bytes.size()}; }

std::unique_ptr<JournalSnapshot> JournalStore::TakeSnapshot() {
  RequireUsable();
  std::unique_lock lock(views_mutex_);
  return std::make_unique<JournalSnapshot>(lock, views_, *base_, files_);
}

bool JournalStore::Get(const std::vector<uint8_t> &key, uint8_t **value, size_t *size) {
  std::unique_ptr<JournalSnapshot> snapshot = TakeSnapshot();
  JournalFound stored;
  if (!snapshot->Get(SliceOf(key), &stored)) return false;
  KvSlice found = snapshot->Load(SliceOf(key), stored);
  *value = KvAllocate(found.size);
  *size = found.size;
  if (found.size > 0) memcpy(*value, found.data, found.size);
  return true;
}

KvRows JournalStore::Range(const KvRangeRequest &request) {
  std::unique_ptr<JournalSnapshot> snapshot = TakeSnapshot();
  KvSlice from = SliceOf(request.from);
  KvSlice to = SliceOf(request.to);
  KvRowCollector rows(request);
  auto inside = [&] { return KvCompare(snapshot->key(), from) >= 0 && KvCompare(snapshot->key(), to) < 0; };
  KvRowCollector::Load load = [&](const KvSlice &key, const KvSlice &stored) { return snapshot->Load(key, {stored, true}); };
  auto take = [&] {
    const JournalFound &value = snapshot->found();
    if (!value.in_file) return rows.Take(snapshot->key(), value.bytes);
    return rows.Take(snapshot->key(), value.bytes, JournalLoadPlace(snapshot->key(), value.bytes).bytes, &load);
  };
  bool found = request.reverse ? snapshot->SeekBefore(to) : snapshot->SeekFrom(from);
  while (found && inside() && take()) {
    found = request.reverse ? snapshot->Previous() : snapshot->Next();
  }
  return rows.Pack();
}

void JournalStore::Walk(const KvWalk &walk, const std::function<bool(const uint8_t *value, size_t size)> &take) {
  std::unique_ptr<JournalSnapshot> snapshot = TakeSnapshot();
  KvSlice start = SliceOf(walk.start);
  bool found = snapshot->SeekFrom(start);
  if (!found || KvCompare(snapshot->key(), start) != 0) {
    // The row before it, and then forward again from there.
    found = snapshot->SeekBefore(start) && KvCompare(snapshot->key(), SliceOf(walk.low)) >= 0 && snapshot->SeekFrom(snapshot->key());
  }
  while (found && KvCompare(snapshot->key(), SliceOf(walk.end)) < 0) {
    KvSlice value = snapshot->Show(snapshot->key(), snapshot->found());
    if (!take(value.data, value.size)) return;
    found = snapshot->Next();
  }
}

KvFigures JournalStore::Figures() {
  RequireUsable();
  KvFigures figures = base_->Figures();
  {
    std::lock_guard lock(views_mutex_);
    figures.push_back({"baseSequence", base_sequence_});
    figures.push_back({"overlayBytes", views_.active.moment.bytes});
    figures.push_back({"frozenBytes", views_.frozen.moment.bytes});
  }
  JournalFileCounts &files = files_.counts();
  journal::Figures log = log_ == nullptr ? journal::Figures() : log_->figures();
  for (auto &[name, value] : figures) {
    if (std::string(name) == "fileBytes") value += log.bytes_on_disk + files.file_bytes;
  }
  uint64_t event_bytes = files.event_bytes;
  uint64_t written_bytes = log.written_bytes + log.preparation_bytes + files.written_bytes + files.catalogue_bytes;
  figures.insert(figures.end(), {
                                    {"shipFiles", files.files},
                                    {"shipFileBytes", files.file_bytes},
                                    {"shipFilesAbandoned", files.abandoned},
                                    {"eventBytes", event_bytes},
                                    {"shipBytesWritten", files.written_bytes},
                                    {"catalogueBytesWritten", files.catalogue_bytes},
                                    {"writeAmplificationPercent", event_bytes == 0 ? 0 : 100 * written_bytes / event_bytes},
                                });
  if (log_ == nullptr) return figures;
  figures.insert(figures.end(), {
                                    {"logSequence", log.last_sequence},
                                    {"segments", log.segments},
                                    {"segmentsReady", log.segments_ready},
                                    {"segmentBytes", log.bytes_on_disk},
                                    {"records", log.records},
                                    {"recordBytes", log.record_bytes},
                                    {"recordBytesWritten", log.written_bytes},
                                    {"flushes", log.flushes},
                                    {"preparationBytes", log.preparation_bytes},
                                    {"preparationFlushes", log.preparation_flushes},
                                    {"segmentsAbandoned", log.segments_abandoned},
                                    {"recoveredRecords", log.recovered_records},
                                });
  return figures;
}

}  // namespace seguro
