// A group of commits as the LMDB engine applies it: slices of memory that JavaScript owns and keeps until the commit has ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace seguro {

struct LmdbSlice {
  const uint8_t *data;
  size_t size;
};

struct LmdbCheck {
  LmdbSlice key;
  bool present;
  LmdbSlice value;
};

struct LmdbWrite {
  enum Kind : uint32_t { kPut = 0, kDelete = 1, kDeleteRange = 2 };
  Kind kind;
  LmdbSlice key;
  LmdbSlice to;                   // of a delete-range
  std::vector<LmdbSlice> pieces;  // of a put
};

struct LmdbMember {
  std::vector<LmdbCheck> checks;
  std::vector<LmdbWrite> writes;
};

using LmdbGroup = std::vector<LmdbMember>;

}  // namespace seguro
