// The ranges of keys that an overlay has deleted from everything below it: disjoint intervals in order, never changed once made.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kv_group.h"

namespace seguro {

class JournalCover {
 public:
  /// Keys k with from <= k < to.
  struct Interval {
    std::string from;
    std::string to;
  };

  /// A cover that has this range as well.
  static std::shared_ptr<const JournalCover> With(const JournalCover &cover, const KvSlice &from, const KvSlice &to);

  /// The interval that the key lies in, or nullptr.
  const Interval *Find(const KvSlice &key) const;
  const std::vector<Interval> &intervals() const { return intervals_; }

 private:
  std::vector<Interval> intervals_;
};

}  // namespace seguro
