// Keys are those of docs/schema.md; the rows of docs/journal-engine.md. Each row's checksum covers its key, because LMDB has none.
#include "journal_place.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "kv_failure.h"
#include "wire/bytes.h"
#include "wire/crc32c.h"

namespace seguro {

static constexpr uint8_t kLogSpace = 0x03;
static constexpr size_t kBlockKeyBytes = kJournalLogBytes + 1 + 8;
static constexpr size_t kPieceKeyBytes = kJournalLogBytes + 1 + 8 + 8 + 4;
static constexpr size_t kOwnKeyBytes = 301;
static constexpr size_t kFileRowKeyBytes = kOwnKeyBytes + kJournalLogBytes + 8;
static constexpr char kSuffix[] = ".blocks";
static constexpr size_t kLeastDigits = 10;

bool JournalIsFiled(const KvSlice &key) {
  if (key.size <= kJournalLogBytes || key.data[0] != kLogSpace) return false;
  uint8_t what = key.data[kJournalLogBytes];
  return what == 'b' ? key.size == kBlockKeyBytes : (what == 'p' || what == 'g') && key.size == kPieceKeyBytes;
}

bool JournalIsLog(const KvSlice &bound) { return bound.size == kJournalLogBytes && bound.data[0] == kLogSpace; }

std::string JournalLogOf(const KvSlice &key) { return std::string(reinterpret_cast<const char *>(key.data), kJournalLogBytes); }

static uint32_t Sum(const KvSlice &key, const uint8_t *bytes, size_t size) {
  return seguro_crc32c(seguro_crc32c(0, key.data, key.size), bytes, size);
}

void JournalStorePlace(uint8_t *to, const KvSlice &key, const JournalPlace &place) {
  seguro_store_u64(to, place.file);
  seguro_store_u64(to + 8, place.offset);
  seguro_store_u32(to + 16, place.bytes);
  seguro_store_u32(to + 20, place.crc32c);
  seguro_store_u32(to + 24, 0);
  seguro_store_u32(to + 28, Sum(key, to, 28));
}

JournalPlace JournalLoadPlace(const KvSlice &key, const KvSlice &stored) {
  if (stored.size != kJournalPlaceBytes || seguro_load_u32(stored.data + 28) != Sum(key, stored.data, 28)) {
    throw KvFailure("store-damaged", "the catalogue does not say where a block of " + JournalLogText(JournalLogOf(key)) + " lies");
  }
  return {seguro_load_u64(stored.data), seguro_load_u64(stored.data + 8), seguro_load_u32(stored.data + 16),
          seguro_load_u32(stored.data + 20)};
}

std::string JournalFileRowKey(const std::string &log, uint64_t file) {
  std::string key(kOwnKeyBytes, '\xff');
  key += log;
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(file >> shift);
  return key;
}

KvSlice JournalFileRowsBegin() {
  static const std::string begin(kOwnKeyBytes, '\xff');
  return {reinterpret_cast<const uint8_t *>(begin.data()), begin.size()};
}

bool JournalIsFileRow(const KvSlice &key, std::string *log, uint64_t *file) {
  KvSlice begin = JournalFileRowsBegin();
  if (key.size != kFileRowKeyBytes || memcmp(key.data, begin.data, begin.size) != 0) return false;
  *log = std::string(reinterpret_cast<const char *>(key.data) + kOwnKeyBytes, kJournalLogBytes);
  *file = 0;
  for (size_t i = kOwnKeyBytes + kJournalLogBytes; i < key.size; i++) *file = *file << 8 | key.data[i];
  return true;
}

void JournalStoreFileRow(uint8_t *to, const KvSlice &key, const JournalFileRow &row) {
  seguro_store_u64(to, row.end);
  seguro_store_u64(to + 8, row.live_values);
  seguro_store_u32(to + 16, 0);
  seguro_store_u32(to + 20, Sum(key, to, 20));
}

JournalFileRow JournalLoadFileRow(const KvSlice &key, const KvSlice &stored) {
  if (stored.size != kJournalFileRowBytes || seguro_load_u32(stored.data + 20) != Sum(key, stored.data, 20)) {
    throw KvFailure("store-damaged", "the catalogue's row of a ship file is damaged");
  }
  return {seguro_load_u64(stored.data), seguro_load_u64(stored.data + 8)};
}

std::string JournalShipFolder(const std::string &log) {
  static const char digits[] = "0123456789abcdef";
  std::string folder;
  // The kind, then the ship's number: whatever bytes they are.
  for (size_t i = 1; i < kJournalLogBytes - 4; i++) {
    auto byte = static_cast<uint8_t>(log[i]);
    folder += digits[byte >> 4];
    folder += digits[byte & 15];
    if (i == 1) folder += '-';
  }
  return folder;
}

static uint32_t LogNumber(const std::string &log) {
  uint32_t number = 0;
  for (size_t i = kJournalLogBytes - 4; i < kJournalLogBytes; i++) number = number << 8 | static_cast<uint8_t>(log[i]);
  return number;
}

std::string JournalLogFolder(const std::string &log) { return JournalShipFolder(log) + "/" + std::to_string(LogNumber(log)); }

std::string JournalFileName(uint64_t file) {
  std::string digits = std::to_string(file);
  if (digits.size() < kLeastDigits) digits.insert(0, kLeastDigits - digits.size(), '0');
  return digits + kSuffix;
}

uint64_t JournalFileNumber(const std::string &name) {
  uint64_t file = 0;
  if (std::sscanf(name.c_str(), "%" SCNu64, &file) != 1) return 0;
  return JournalFileName(file) == name ? file : 0;
}

std::string JournalLogText(const std::string &log) {
  return "log " + std::to_string(LogNumber(log)) + " of ship " + JournalShipFolder(log);
}

}  // namespace seguro
