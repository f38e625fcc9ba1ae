// The last word on each key, and the ranges that were deleted.
#include "journal_pending.h"

namespace seguro {

static std::string_view ViewOf(const KvSlice &slice) {
  return slice.size == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char *>(slice.data), slice.size);
}

void JournalPending::Add(const KvWrite &write) {
  if (write.kind != KvWrite::kDeleteRange) {
    keys_[ViewOf(write.key)] = write.kind == KvWrite::kPut ? &write : nullptr;
    return;
  }
  if (KvCompare(write.key, write.to) >= 0) return;
  for (auto it = keys_.lower_bound(ViewOf(write.key)); it != keys_.end() && it->first < ViewOf(write.to); ++it) it->second = nullptr;
  ranges_.push_back(&write);
}

JournalPending::Known JournalPending::Find(const KvSlice &key, const KvWrite **put) const {
  auto found = keys_.find(ViewOf(key));
  if (found != keys_.end()) {
    *put = found->second;
    return *put == nullptr ? Known::kDeleted : Known::kValue;
  }
  for (const KvWrite *range : ranges_) {
    if (KvCompare(range->key, key) <= 0 && KvCompare(key, range->to) < 0) return Known::kDeleted;
  }
  return Known::kNothing;
}

void JournalPending::Clear() {
  keys_.clear();
  ranges_.clear();
}

}  // namespace seguro
