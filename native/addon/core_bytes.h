// A growable run of bytes in malloc'ed memory, which can be given away whole: how payload bytes reach JavaScript without a copy.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace seguro {

/** From so much on pages are made ahead of use. */
constexpr size_t kPopulateBytes = size_t{128} << 10;

/** Owns its memory; moves, never copies. Throws std::bad_alloc, and is then as it was before. */
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer &&other) noexcept { Swap(other); }
  ByteBuffer &operator=(ByteBuffer &&other) noexcept {
    if (this != &other) {
      Clear();
      Swap(other);
    }
    return *this;
  }
  ByteBuffer(const ByteBuffer &) = delete;
  ByteBuffer &operator=(const ByteBuffer &) = delete;
  ~ByteBuffer() { std::free(data_); }

  uint8_t *data() { return data_; }
  const uint8_t *data() const { return data_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

  /** Makes room for `more` bytes after the present ones: doubling, but not beyond `bound` unless they need it. */
  void Reserve(size_t more, size_t bound) {
    size_t need = size_ + more;
    if (need > capacity_) {
      Resize(std::max(need, std::min(capacity_ * 2, bound)));
    }
  }

  /** Appends bytes there is room for (Reserve) and returns where they lie now. */
  uint8_t *Append(const uint8_t *from, size_t size) {
    uint8_t *at = data_ + size_;
    std::memcpy(at, from, size);
    // `from` may be memory that its sender can still write: what is read next is the copy, never `from` in its place.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    size_ += size;
    return at;
  }

  /** Forgets everything from `size` on; the memory stays. */
  void Truncate(size_t size) { size_ = size; }

  /** Forgets the first `count` bytes and moves the others down. */
  void DropFront(size_t count) {
    std::memmove(data_, data_ + count, size_ - count);
    size_ -= count;
  }

  /** Returns memory to the allocator when more than a quarter of it is unused. */
  void ShrinkToFit() {
    if (size_ == 0) {
      Clear();
    } else if (capacity_ - size_ > capacity_ / 4) {
      Resize(size_);
    }
  }

  void Clear() {
    std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  /** Gives the memory away, to be freed with std::free. */
  uint8_t *Release() {
    uint8_t *data = data_;
    data_ = nullptr;
    size_ = capacity_ = 0;
    return data;
  }

 private:
  void Resize(size_t capacity) {
    void *moved = std::realloc(data_, capacity);
    if (moved == nullptr) {
      throw std::bad_alloc();
    }
    data_ = static_cast<uint8_t *>(moved);
    bool grows = capacity > capacity_;
    capacity_ = capacity;
    if (grows && capacity - size_ >= kPopulateBytes) Populate();
  }

  /**
   * Has the pages that are about to be written made all at once: each one's own fault costs more than twice as much, and of a gigabyte of new
   * memory a second, as a store in memory needs it, the faults are half of the work. Pages that are there cost next to nothing.
   */
  void Populate() {
#ifdef MADV_POPULATE_WRITE
    constexpr uintptr_t page = 4096;
    auto begin = (reinterpret_cast<uintptr_t>(data_ + size_) + page - 1) / page * page;
    auto end = reinterpret_cast<uintptr_t>(data_ + capacity_) / page * page;
    // An older kernel knows no such advice: then they come one by one.
    if (end > begin) madvise(reinterpret_cast<void *>(begin), end - begin, MADV_POPULATE_WRITE);
#endif
  }

  void Swap(ByteBuffer &other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  uint8_t *data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace seguro
