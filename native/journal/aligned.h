// Memory that begins at a block's boundary, as writes and reads past the page cache want it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "journal/sector.h"

namespace seguro::journal {

struct FreeMemory {
  void operator()(uint8_t *bytes) const { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<uint8_t[], FreeMemory>;

/// `size` is a multiple of kBlockBytes. Throws std::bad_alloc.
inline AlignedBytes AllocateAligned(size_t size) {
  auto *bytes = static_cast<uint8_t *>(std::aligned_alloc(kBlockBytes, size));
  if (bytes == nullptr) throw std::bad_alloc();
  return AlignedBytes(bytes);
}

}  // namespace seguro::journal
