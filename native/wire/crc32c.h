/* CRC32C (Castagnoli, reflected, as in iSCSI): the checksum of records, frames and block headers.
 *
 * C11 and C++20. Pure functions without state except one feature test, so they may be called from any thread.
 * The hardware path needs SSE4.2 (x86-64) or the CRC extension (aarch64); elsewhere plain C does the same. Where there is PCLMUL too, long
 * pieces are taken in three lanes at once, because one instruction takes three cycles to answer, but one can begin in every cycle.
 */
#ifndef SEGURO_WIRE_CRC32C_H
#define SEGURO_WIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
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
__attribute__((target("sse4.2"))) static inline uint32_t seguro_crc32c_hard(uint32_t crc, const uint8_t *bytes, size_t length_bytes) {
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

#define SEGURO_CRC32C_LANE_BYTES 1024u
/* x^(8 n - 33) modulo the polynomial, reflected, for n of one lane and of two: multiplying by it and taking the CRC of the 64-bit product
 * moves a register over n bytes of zeros. */
#define SEGURO_CRC32C_PAST_1 0x170076fau
#define SEGURO_CRC32C_PAST_2 0xa51b6135u

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t seguro_crc32c_past(uint64_t crc, uint32_t constant) {
  __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)(uint32_t)crc), _mm_cvtsi64_si128((int64_t)constant), 0);
  return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Whole triples of lanes; what is left over is for seguro_crc32c_hard. */
__attribute__((target("sse4.2,pclmul"))) static inline uint32_t seguro_crc32c_lanes(uint32_t crc, const uint8_t **bytes,
                                                                                    size_t *length_bytes) {
  const uint8_t *at = *bytes;
  size_t left = *length_bytes;
  for (; left >= 3 * SEGURO_CRC32C_LANE_BYTES; left -= 3 * SEGURO_CRC32C_LANE_BYTES) {
    uint64_t first = crc, second = 0, third = 0;
    for (size_t i = 0; i < SEGURO_CRC32C_LANE_BYTES; i += 8) {
      if (i % 16 == 0) {
        /* The next triple: three short runs at once hide from the processor that memory is read in order. Asking beyond the end does no harm. */
        _mm_prefetch((const char *)at + 3 * (SEGURO_CRC32C_LANE_BYTES + i), _MM_HINT_T0);
      }
      uint64_t words[3];
      memcpy(&words[0], at + i, 8);
      memcpy(&words[1], at + SEGURO_CRC32C_LANE_BYTES + i, 8);
      memcpy(&words[2], at + 2 * SEGURO_CRC32C_LANE_BYTES + i, 8);
      first = _mm_crc32_u64(first, words[0]);
      second = _mm_crc32_u64(second, words[1]);
      third = _mm_crc32_u64(third, words[2]);
    }
    crc = (uint32_t)(seguro_crc32c_past(first, SEGURO_CRC32C_PAST_2) ^ seguro_crc32c_past(second, SEGURO_CRC32C_PAST_1) ^ third);
    at += 3 * SEGURO_CRC32C_LANE_BYTES;
  }
  *bytes = at;
  *length_bytes = left;
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
  if (length_bytes >= 3 * SEGURO_CRC32C_LANE_BYTES && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
    crc = seguro_crc32c_lanes(crc, &at, &length_bytes);
  }
  crc = __builtin_cpu_supports("sse4.2") ? seguro_crc32c_hard(crc, at, length_bytes) : seguro_crc32c_soft(crc, at, length_bytes);
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
  crc = seguro_crc32c_hard(crc, at, length_bytes);
#else
  crc = seguro_crc32c_soft(crc, at, length_bytes);
#endif
  return ~crc;
}

#endif
