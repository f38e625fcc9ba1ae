// Stands in for the SHA-256 that the addon finds in Node: a hash that is none, for tests that only ask whether the chain is followed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {

__attribute__((visibility("default"), used)) int SHA256_Init(void *context) {
  uint64_t begin = 0x9e3779b97f4a7c15u;
  std::memcpy(context, &begin, sizeof begin);
  return 1;
}

__attribute__((visibility("default"), used)) int SHA256_Update(void *context, const void *bytes, size_t size) {
  uint64_t sum;
  std::memcpy(&sum, context, sizeof sum);
  for (size_t i = 0; i < size; i++) sum = (sum ^ static_cast<const uint8_t *>(bytes)[i]) * 0x100000001b3u;
  std::memcpy(context, &sum, sizeof sum);
  return 1;
}

__attribute__((visibility("default"), used)) int SHA256_Final(uint8_t *digest, void *context) {
  std::memset(digest, 0, 32);
  std::memcpy(digest, context, sizeof(uint64_t));
  return 1;
}
}
