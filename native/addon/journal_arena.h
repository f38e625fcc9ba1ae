// Memory that is taken piece by piece and given back as a whole, with the overlay that lies in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace seguro {

/// One thread takes; what was taken may be read by any as soon as it has been published to them. Throws std::bad_alloc.
class JournalArena {
 public:
  JournalArena() = default;
  JournalArena(const JournalArena &) = delete;
  JournalArena &operator=(const JournalArena &) = delete;

  /// Aligned for pointers.
  uint8_t *Take(size_t size);
  /// What the system gave.
  size_t bytes() const { return bytes_; }

 private:
  uint8_t *TakeChunk(size_t size);

  std::vector<std::unique_ptr<uint8_t[]>> chunks_;
  uint8_t *at_ = nullptr;
  size_t left_ = 0;
  size_t bytes_ = 0;
};

}  // namespace seguro
