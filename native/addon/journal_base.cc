// The mark: u32 format, u32 0, u64 log id, u64 sequence, u64 next file, little-endian, under a key of 400 bytes ff.
#include "journal_base.h"

#include <vector>

#include "kv_failure.h"
#include "lmdb_reader.h"
#include "wire/bytes.h"

namespace seguro {

static constexpr uint32_t kFormat = 2;
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
  if (value.size >= 4 && seguro_load_u32(value.data) < kFormat) {
    throw KvFailure("store-older", "the journal was written by a Seguro of before its first release, which kept events elsewhere");
  }
  if (value.size != kJournalMarkBytes || seguro_load_u32(value.data) != kFormat) {
    throw KvFailure("store-damaged", "the base does not say how far it reaches");
  }
  *mark = {seguro_load_u64(value.data + 8), seguro_load_u64(value.data + 16), seguro_load_u64(value.data + 24)};
  return true;
}

KvWrite JournalMarkWrite(const JournalMark &mark, uint8_t *memory) {
  seguro_store_u32(memory, kFormat);
  seguro_store_u32(memory + 4, 0);
  seguro_store_u64(memory + 8, mark.log_id);
  seguro_store_u64(memory + 16, mark.sequence);
  seguro_store_u64(memory + 24, mark.next_file);
  return {KvWrite::kPut, MarkKey(), {}, {KvSlice{memory, kJournalMarkBytes}}};
}

}  // namespace seguro
