// One data.mdb opened for reading, and a consistent snapshot of it, without LMDB and without a lock.
//
// Nothing is mapped: every page comes by pread, so a file that is cut or unreadable gives an error and never a SIGBUS. And nothing is
// locked, because LMDB's lock file holds a pthread mutex whose layout differs between C libraries: taking the mutex of a live Vere
// (linked with musl) from a process on glibc can hang both. A snapshot is instead checked after use. A writer's transaction W
// overwrites only pages freed by transactions up to W - 2 (mdb_page_alloc, mdb_find_oldest), so all pages of snapshot T are intact
// while the newest committed transaction is at most T + 1.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "pier_fault.h"
#include "pier_format.h"

struct iovec;

namespace seguro::pier {

class File {
 public:
  explicit File(std::string path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }
  // Reads exactly so many bytes, or throws pier-damaged: the file ends before.
  void Read(uint64_t offset, void* to, size_t length_bytes) const;
  void ReadTwo(uint64_t offset, void* first, size_t first_bytes, void* second, size_t second_bytes) const;
  // Reads at least `least_bytes`, and up to `most_bytes` where the file has them; returns how many.
  size_t ReadUpTo(uint64_t offset, void* to, size_t least_bytes, size_t most_bytes) const;
  uint64_t LengthBytes() const;
  // The newest of the two meta pages, both checked.
  Meta NewestMeta() const;

 private:
  Meta ReadMeta(unsigned index, size_t page_bytes) const;
  std::string CheckMetas(Meta metas[2]) const;
  void ReadVector(uint64_t offset, struct iovec* vector, int count, size_t length_bytes) const;

  std::string path_;
  int descriptor_;
};

class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const File> file);

  const File& file() const { return *file_; }
  const Meta& meta() const { return meta_; }
  size_t page_bytes() const { return meta_.free.page_bytes; }
  // Whether everything read so far was this snapshot's: no writer can have reused its pages yet.
  bool Intact() const;

  uint64_t OffsetOf(uint64_t page) const { return page * page_bytes(); }
  void CheckRange(uint64_t page, uint64_t count, const std::string& what) const;
  // Checks the page `number` of a tree in memory; throws pier-damaged.
  Page CheckPage(uint64_t number, uint16_t flags, const uint8_t* bytes, const std::string& table) const;

  PierFault Damaged(uint64_t page, const std::string& what) const;

 private:
  std::shared_ptr<const File> file_;
  Meta meta_;
};

}  // namespace seguro::pier
