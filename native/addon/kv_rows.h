// The rows of a range read: found where they lie, then copied once, as src/store/kv.ts packs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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
  bool Take(const KvSlice &key, const KvSlice &value) { return Take(key, value, value.size, nullptr); }
  /// The same for a value of `size` bytes that `load` finds when the row is packed.
  using Load = std::function<KvSlice(const KvSlice &key, const KvSlice &stored)>;
  bool Take(const KvSlice &key, const KvSlice &stored, size_t size, const Load *load);
  /// A row that cannot be loaded ends the rows before it, as a limit does; the first one throws what `load` threw.
  KvRows Pack() const;

 private:
  struct Row {
    KvSlice key;
    KvSlice stored;
    size_t size;  // of the value
    const Load *load;
  };

  const KvRangeRequest &request_;
  std::vector<Row> rows_;
  size_t size_ = 0;
  bool more_ = false;
};

}  // namespace seguro
