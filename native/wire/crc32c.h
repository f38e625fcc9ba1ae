/* CRC32C (Castagnoli, reflected, as in iSCSI): the checksum of records, frames and block headers.
 *
 * C11 and C++20. Pure functions without state except one feature test, so they may be called from any thread.
 * The hardware path needs SSE4.2 (x86-64) or the CRC extension (aarch64); elsewhere a table does the same.
 */
#ifndef SEGURO_WIRE_CRC32C_H
#define SEGURO_WIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

/* One step of the table-less bytewise form; the fallback is for machines nobody runs ships on, so it is small, not fast. */
static inline uint32_t seguro_crc32c_soft(uint32_t crc, const uint8_t *bytes, size_t length_bytes) {
  for (size_t i = 0; i < length_bytes; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) {
      crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1u)));
    }
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static inline uint32_t seguro_crc32c_hard(uint32_t crc, const uint8_t *bytes,
                                                                            size_t length_bytes) {
  uint64_t wide = crc;
  while (length_bytes >= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    wide = _mm_crc32_u64(wide, word);
    bytes += 8;
    length_bytes -= 8;
  }
  crc = (uint32_t)wide;
  while (length_bytes > 0) {
    crc = _mm_crc32_u8(crc, *bytes);
    bytes++;
    length_bytes--;
  }
  return crc;
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
static inline uint32_t seguro_crc32c_hard(uint32_t crc, const uint8_t *bytes, size_t length_bytes) {
  while (length_bytes >= 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    crc = __crc32cd(crc, word);
    bytes += 8;
    length_bytes -= 8;
  }
  while (length_bytes > 0) {
    crc = __crc32cb(crc, *bytes);
    bytes++;
    length_bytes--;
  }
  return crc;
}
#endif

/* Extends `crc` (0 for the first piece) over `length_bytes` bytes, so that
 * seguro_crc32c(seguro_crc32c(0, a, n), b, m) is the checksum of a followed by b. */
static inline uint32_t seguro_crc32c(uint32_t crc, const void *bytes, size_t length_bytes) {
  const uint8_t *at = (const uint8_t *)bytes;
  crc = ~crc;
#if defined(__x86_64__)
  crc = __builtin_cpu_supports("sse4.2") ? seguro_crc32c_hard(crc, at, length_bytes)
                                         : seguro_crc32c_soft(crc, at, length_bytes);
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
  crc = seguro_crc32c_hard(crc, at, length_bytes);
#else
  crc = seguro_crc32c_soft(crc, at, length_bytes);
#endif
  return ~crc;
}

#endif
