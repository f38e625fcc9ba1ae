// Reads of a journal store, each from one snapshot.
#include <cstring>

#include "journal_store.h"
#include "kv_rows.h"

namespace seguro {

static KvSlice SliceOf(const std::vector<uint8_t> &bytes) { return {bytes.data(), bytes.size()}; }

std::unique_ptr<JournalSnapshot> JournalStore::TakeSnapshot() {
  RequireUsable();
  std::unique_lock lock(views_mutex_);
  return std::make_unique<JournalSnapshot>(lock, views_, *base_);
}

bool JournalStore::Get(const std::vector<uint8_t> &key, uint8_t **value, size_t *size) {
  std::unique_ptr<JournalSnapshot> snapshot = TakeSnapshot();
  KvSlice found{};
  if (!snapshot->Get(SliceOf(key), &found)) return false;
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
  bool found = request.reverse ? snapshot->SeekBefore(to) : snapshot->SeekFrom(from);
  while (found && inside() && rows.Take(snapshot->key(), snapshot->value())) {
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
    if (!take(snapshot->value().data, snapshot->value().size)) return;
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
  if (log_ == nullptr) return figures;
  journal::Figures log = log_->figures();
  for (auto &[name, value] : figures) {
    if (std::string(name) == "fileBytes") value += log.bytes_on_disk;
  }
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
