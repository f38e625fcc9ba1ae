// Filed values read from ship files: checked, several at once where they follow each other; or shown where the page cache has them, unchecked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "journal_files.h"
#include "journal_place.h"
#include "kv_group.h"

namespace seguro {

/// Any thread, one at a time.
class JournalFileReader {
 public:
  explicit JournalFileReader(JournalFiles &files) : files_(files) {}

  /// The value, until the next call. Throws KvFailure: "store-damaged" where it is not there as it was written.
  KvSlice Read(const KvSlice &key, const JournalPlace &place);
  /// For who checks what it is shown by the checksums that blocks have: not copied, where the system allows, and then not checked here.
  KvSlice Show(const KvSlice &key, const JournalPlace &place);

 private:
  /// Whether the place can be touched in the mapping.
  bool Populated(const JournalPlace &place);
  void OpenFile(const KvSlice &key, uint64_t number);
  /// Has the window hold the place, and what lies on that side of it which is likely to be wanted next.
  void Fill(const KvSlice &key, const JournalPlace &place);
  /// Bytes that were there to be read.
  size_t ReadFully(const KvSlice &key, size_t size, uint64_t offset);
  [[noreturn]] void Damaged(const KvSlice &key, uint64_t offset, const std::string &what) const;

  JournalFiles &files_;
  std::shared_ptr<const JournalFile> file_;
  uint64_t number_ = 0;
  std::shared_ptr<const JournalMapping> mapping_;
  uint64_t populated_begin_ = 0;
  uint64_t populated_end_ = 0;
  std::unique_ptr<uint8_t[]> window_;
  size_t window_capacity_ = 0;
  uint64_t window_begin_ = 0;
  uint64_t window_end_ = 0;
  /// How much is read at once; grows while values are read in a row.
  size_t ahead_bytes_ = 0;
};

}  // namespace seguro
