// A consistent state of a data.mdb, read without LMDB and without a lock, because LMDB's lock file holds a pthread mutex whose layout
// differs between C libraries: a process on glibc that takes the mutex of a live Vere, which is linked with musl, waits for ever.
//
// A snapshot is instead checked after use. A writer's transaction W overwrites only pages freed by transactions up to W - 2
// (mdb_page_alloc and mdb_find_oldest in mdb.c), so all pages of snapshot T are intact while the newest committed transaction is at most
// T + 1.
#pragma once

#include <memory>
#include <string>

#include "pier_file.h"

namespace seguro::pier {

class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const File> file);

  const File &file() const { return *file_; }
  const Meta &meta() const { return meta_; }
  size_t page_bytes() const { return meta_.free.page_bytes; }
  // Whether everything read so far was this snapshot's: no writer can have reused its pages yet.
  bool Intact() const;

  uint64_t OffsetOf(uint64_t page) const { return page * page_bytes(); }
  void CheckRange(uint64_t page, uint64_t count, const std::string &what) const;
  // Checks the page `number` of a tree in memory; throws pier-damaged.
  Page CheckPage(uint64_t number, uint16_t flags, const uint8_t *bytes, const std::string &table) const;

  PierFault Damaged(uint64_t page, const std::string &what) const;

 private:
  std::shared_ptr<const File> file_;
  Meta meta_;
};

}  // namespace seguro::pier
