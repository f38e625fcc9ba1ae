// Intervals joined where they meet, found by halving.
#include "journal_cover.h"

#include <algorithm>

namespace seguro {

static KvSlice SliceOf(const std::string &text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }

static std::string TextOf(const KvSlice &slice) {
  return slice.size == 0 ? std::string() : std::string(reinterpret_cast<const char *>(slice.data), slice.size);
}

std::shared_ptr<const JournalCover> JournalCover::With(const JournalCover &cover, const KvSlice &from, const KvSlice &to) {
  auto wider = std::make_shared<JournalCover>();
  Interval added{TextOf(from), TextOf(to)};
  bool placed = false;
  for (const Interval &interval : cover.intervals_) {
    if (interval.to < added.from) {
      wider->intervals_.push_back(interval);
    } else if (added.to < interval.from) {
      if (!placed) wider->intervals_.push_back(added);
      placed = true;
      wider->intervals_.push_back(interval);
    } else {
      added.from = std::min(added.from, interval.from);
      added.to = std::max(added.to, interval.to);
    }
  }
  if (!placed) wider->intervals_.push_back(added);
  return wider;
}

const JournalCover::Interval *JournalCover::Find(const KvSlice &key) const {
  // The first interval that ends behind the key.
  auto found = std::partition_point(intervals_.begin(), intervals_.end(),
                                    [&](const Interval &interval) { return KvCompare(SliceOf(interval.to), key) <= 0; });
  if (found == intervals_.end() || KvCompare(SliceOf(found->from), key) > 0) return nullptr;
  return &*found;
}

}  // namespace seguro
