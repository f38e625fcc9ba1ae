// The rows of a range read: found where they lie, then copied once, as src/store/kv.ts packs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kv_group.h"
#include "kv_store.h"

namespace seguro {

/// From malloc; throws KvFailure.
uint8_t *KvAllocate(size_t size);

class KvRowCollector {
 public:
  explicit KvRowCollector(const KvRangeRequest &request) : request_(request) {}

  /// The next row, which stays where it is until `Pack`. False: a limit was reached, and the row is not taken.
  bool Take(const KvSlice &key, const KvSlice &value);
  KvRows Pack() const;

 private:
  struct Row {
    KvSlice key;
    KvSlice value;
  };

  const KvRangeRequest &request_;
  std::vector<Row> rows_;
  size_t size_ = 0;
  bool more_ = false;
};

}  // namespace seguro
