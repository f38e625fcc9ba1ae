// The mark: u32 format, u32 0, u64 log id, u64 sequence, little-endian, under a key of 400 bytes ff.
#include "journal_base.h"

#include <cstring>
#include <vector>

#include "kv_failure.h"
#include "lmdb_reader.h"
#include "wire/bytes.h"

namespace seguro {

static constexpr uint32_t kFormat = 1;
static constexpr size_t kMarkBytes = 24;
static constexpr size_t kMarkKeyBytes = 400;

static KvSlice MarkKey() {
  static const std::vector<uint8_t> key(kMarkKeyBytes, 0xff);
  return {key.data(), key.size()};
}

bool JournalIsBase(LmdbStore &store) {
  KvSlice value{};
  return LmdbReader(store).Get(MarkKey(), &value);
}

bool JournalReadMark(LmdbStore &base, JournalMark *mark) {
  LmdbReader reader(base);
  KvSlice value{};
  if (!reader.Get(MarkKey(), &value)) return false;
  if (value.size >= 4 && seguro_load_u32(value.data) > kFormat) throw KvFailure("store-newer", "the journal was written by a newer Seguro");
  if (value.size != kMarkBytes || seguro_load_u32(value.data) != kFormat) {
    throw KvFailure("store-damaged", "the base does not say how far it reaches");
  }
  *mark = {seguro_load_u64(value.data + 8), seguro_load_u64(value.data + 16)};
  return true;
}

void JournalWriteBase(LmdbStore &base, const JournalView &view, const JournalMark &mark) {
  KvGroup group(1);
  std::vector<KvWrite> &writes = group.front().writes;
  // What is deleted in whole ranges was deleted before anything of the overlay that is still there was put.
  for (const JournalCover::Interval &interval : view.moment.cover->intervals()) {
    auto slice = [](const std::string &text) { return KvSlice{reinterpret_cast<const uint8_t *>(text.data()), text.size()}; };
    writes.push_back({KvWrite::kDeleteRange, slice(interval.from), slice(interval.to), {}});
  }
  JournalOverlayCursor cursor(view);
  for (bool on = cursor.SeekFrom({nullptr, 0}); on; on = cursor.Next()) {
    KvWrite write{cursor.present() ? KvWrite::kPut : KvWrite::kDelete, cursor.key(), {}, {}};
    if (cursor.present()) write.pieces.push_back(cursor.value());
    writes.push_back(std::move(write));
  }
  uint8_t bytes[kMarkBytes] = {};
  seguro_store_u32(bytes, kFormat);
  seguro_store_u64(bytes + 8, mark.log_id);
  seguro_store_u64(bytes + 16, mark.sequence);
  writes.push_back({KvWrite::kPut, MarkKey(), {}, {KvSlice{bytes, sizeof bytes}}});
  base.Commit(group);
}

}  // namespace seguro
