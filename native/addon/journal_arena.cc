// Chunks of memory; what is large has one of its own.
#include "journal_arena.h"

namespace seguro {

static constexpr size_t kChunkBytes = 256 << 10;
static constexpr size_t kOwnChunkBytes = 64 << 10;

uint8_t *JournalArena::TakeChunk(size_t size) {
  // Without the zeros that make_unique writes.
  chunks_.emplace_back(new uint8_t[size]);
  bytes_ += size;
  return chunks_.back().get();
}

uint8_t *JournalArena::Take(size_t size) {
  static constexpr size_t kAlign = alignof(std::max_align_t);
  size = (size + kAlign - 1) / kAlign * kAlign;
  if (size >= kOwnChunkBytes) return TakeChunk(size);
  if (size > left_) {
    at_ = TakeChunk(kChunkBytes);
    left_ = kChunkBytes;
  }
  uint8_t *taken = at_;
  at_ += size;
  left_ -= size;
  return taken;
}

}  // namespace seguro
