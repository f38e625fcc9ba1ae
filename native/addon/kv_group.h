// A group of commits as an embedded engine applies it: slices of memory that JavaScript owns and keeps until the commit has ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace seguro {

struct KvSlice {
  const uint8_t *data;
  size_t size;
};

/// As unsigned bytes, a prefix before what it begins: the order of all keys.
inline int KvCompare(const KvSlice &a, const KvSlice &b) {
  size_t both = a.size < b.size ? a.size : b.size;
  int order = both == 0 ? 0 : memcmp(a.data, b.data, both);
  if (order != 0) return order;
  return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

struct KvCheck {
  KvSlice key;
  bool present;
  KvSlice value;
};

struct KvWrite {
  enum Kind : uint32_t { kPut = 0, kDelete = 1, kDeleteRange = 2 };
  Kind kind;
  KvSlice key;
  KvSlice to;                   // of a delete-range
  std::vector<KvSlice> pieces;  // of a put
};

struct KvMember {
  std::vector<KvCheck> checks;
  std::vector<KvWrite> writes;
};

using KvGroup = std::vector<KvMember>;

}  // namespace seguro
