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

bool KvRowCollector::Take(const KvSlice &key, const KvSlice &value) {
  size_t row_bytes = kRowHeaderBytes + key.size + value.size;
  more_ = rows_.size() == request_.limit_rows || (!rows_.empty() && size_ + row_bytes > request_.limit_bytes);
  if (more_) return false;
  rows_.push_back({key, value});
  size_ += row_bytes;
  return true;
}

KvRows KvRowCollector::Pack() const {
  bool fits = size_ <= request_.into_bytes;
  KvRows packed{fits ? request_.into : KvAllocate(size_), size_, rows_.size(), more_, fits};
  uint8_t *at = packed.bytes;
  for (const Row &row : rows_) {
    seguro_store_u32(at, static_cast<uint32_t>(row.key.size));
    seguro_store_u32(at + 4, static_cast<uint32_t>(row.value.size));
    memcpy(at + kRowHeaderBytes, row.key.data, row.key.size);
    at += kRowHeaderBytes + row.key.size;
    if (row.value.size > 0) memcpy(at, row.value.data, row.value.size);
    at += row.value.size;
  }
  return packed;
}

}  // namespace seguro
