// Packing rows: u32 key bytes, u32 value bytes (little-endian), key, value.
#include "kv_rows.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "kv_failure.h"
#include "wire/bytes.h"

namespace seguro {

static constexpr size_t kRowHeaderBytes = 8;

uint8_t *KvAllocate(size_t size) {
  auto *bytes = static_cast<uint8_t *>(malloc(size == 0 ? 1 : size));
  if (bytes == nullptr) throw KvFailure::From(ENOMEM, "read " + std::to_string(size) + " bytes");
  return bytes;
}

bool KvRowCollector::Take(const KvSlice &key, const KvSlice &stored, size_t size, const Load *load) {
  size_t row_bytes = kRowHeaderBytes + key.size + size;
  more_ = rows_.size() == request_.limit_rows || (!rows_.empty() && size_ + row_bytes > request_.limit_bytes);
  if (more_) return false;
  rows_.push_back({key, stored, size, load});
  size_ += row_bytes;
  return true;
}

static uint8_t *PackRow(uint8_t *at, const KvSlice &key, const KvSlice &value) {
  seguro_store_u32(at, static_cast<uint32_t>(key.size));
  seguro_store_u32(at + 4, static_cast<uint32_t>(value.size));
  memcpy(at + kRowHeaderBytes, key.data, key.size);
  at += kRowHeaderBytes + key.size;
  if (value.size > 0) memcpy(at, value.data, value.size);
  return at + value.size;
}

KvRows KvRowCollector::Pack() const {
  bool fits = size_ <= request_.into_bytes;
  KvRows packed{fits ? request_.into : KvAllocate(size_), 0, 0, more_, fits};
  uint8_t *at = packed.bytes;
  for (const Row &row : rows_) {
    try {
      at = PackRow(at, row.key, row.load == nullptr ? row.stored : (*row.load)(row.key, row.stored));
    } catch (...) {
      if (packed.count > 0) {
        packed.more = true;
        break;
      }
      if (!fits) free(packed.bytes);
      throw;
    }
    packed.count++;
  }
  packed.size = static_cast<size_t>(at - packed.bytes);
  return packed;
}

}  // namespace seguro
