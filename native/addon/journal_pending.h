// Writes of a group that are not in the log yet, as the checks of its later members must see them.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "kv_group.h"

namespace seguro {

/// Refers to the writes, which must outlive it.
class JournalPending {
 public:
  enum class Known { kValue, kDeleted, kNothing };

  void Add(const KvWrite &write);
  /// What these writes say of a key; `put` is set for a value.
  Known Find(const KvSlice &key, const KvWrite **put) const;
  void Clear();

 private:
  // The last put of a key, or null where it was deleted after.
  std::map<std::string_view, const KvWrite *> keys_;
  std::vector<const KvWrite *> ranges_;
};

}  // namespace seguro
