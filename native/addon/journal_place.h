// Where a filed value lies: which keys are filed, the catalogue's rows about them, and the names of ship files (docs/journal-engine.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "kv_group.h"

namespace seguro {

/// All keys of a log begin with so many bytes of their own: space, kind, ship, number of the log.
constexpr size_t kJournalLogBytes = 22;

/// Whether the values under this key are kept in ship files: blocks, and pieces of what is larger than a block.
bool JournalIsFiled(const KvSlice &key);
/// Whether a bound is the beginning of a whole log.
bool JournalIsLog(const KvSlice &bound);
/// The log that a filed key belongs to.
std::string JournalLogOf(const KvSlice &key);

/// What the catalogue has in place of a filed value.
struct JournalPlace {
  uint64_t file = 0;
  uint64_t offset = 0;
  uint32_t bytes = 0;
  uint32_t crc32c = 0;  // of key and value
};
constexpr size_t kJournalPlaceBytes = 32;

void JournalStorePlace(uint8_t *to, const KvSlice &key, const JournalPlace &place);
/// Throws KvFailure "store-damaged" if it is none, or another key's.
JournalPlace JournalLoadPlace(const KvSlice &key, const KvSlice &stored);

/// What the catalogue knows of a ship file.
struct JournalFileRow {
  uint64_t end = 0;          // in bytes
  uint64_t live_values = 0;  // that the catalogue refers to
};
constexpr size_t kJournalFileRowBytes = 24;

std::string JournalFileRowKey(const std::string &log, uint64_t file);
/// Before all file rows.
KvSlice JournalFileRowsBegin();
/// False if the key is no file row's.
bool JournalIsFileRow(const KvSlice &key, std::string *log, uint64_t *file);
void JournalStoreFileRow(uint8_t *to, const KvSlice &key, const JournalFileRow &row);
/// Throws KvFailure "store-damaged".
JournalFileRow JournalLoadFileRow(const KvSlice &key, const KvSlice &stored);

/// Below the folder of ships. `JournalLogFolder` is below that of `JournalShipFolder`.
std::string JournalShipFolder(const std::string &log);
std::string JournalLogFolder(const std::string &log);
std::string JournalFileName(uint64_t file);
/// 0 if it is no ship file's name.
uint64_t JournalFileNumber(const std::string &name);
/// For people: "log 1 of ship 01-000...".
std::string JournalLogText(const std::string &log);

}  // namespace seguro
