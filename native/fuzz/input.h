// Reads a fuzzer's input as a program: small numbers and slices, zero and empty once it is used up.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

/** Like assert, but never compiled out. */
#define FUZZ_CHECK(condition)                                              \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (0)

class Input {
 public:
  Input(const uint8_t *data, size_t size) : data_(data), size_(size) {}

  bool AtEnd() const { return size_ == 0; }
  uint8_t Byte() { return size_ == 0 ? 0 : (size_--, *data_++); }
  uint16_t Short() {
    uint16_t low = Byte();
    return static_cast<uint16_t>(low | (Byte() << 8));
  }
  /** Up to `most` of the bytes that are left. */
  const uint8_t *Slice(size_t most, size_t *size) {
    const uint8_t *at = data_;
    *size = std::min(most, size_);
    data_ += *size;
    size_ -= *size;
    return at;
  }

 private:
  const uint8_t *data_;
  size_t size_;
};
