// One data.mdb opened for reading. Nothing is mapped: every page comes by pread, so a file that is cut or unreadable gives an error and
// never a SIGBUS.
#pragma once

#include <cstdint>
#include <string>

#include "pier_fault.h"
#include "pier_format.h"

struct iovec;

namespace seguro::pier {

// What to do about damage inside a file.
inline constexpr char kDamageHint[] = "restore this file from another copy of the pier; what lies before the damage can still be read";

class File {
 public:
  explicit File(std::string path);
  ~File();
  File(const File &) = delete;
  File &operator=(const File &) = delete;

  const std::string &path() const { return path_; }
  // Reads exactly so many bytes, or throws pier-damaged: the file ends before.
  void Read(uint64_t offset, void *to, size_t length_bytes) const;
  void ReadTwo(uint64_t offset, void *first, size_t first_bytes, void *second, size_t second_bytes) const;
  // Reads at least `least_bytes`, and up to `most_bytes` where the file has them; returns how many.
  size_t ReadUpTo(uint64_t offset, void *to, size_t least_bytes, size_t most_bytes) const;
  uint64_t LengthBytes() const;
  // The newest of the two meta pages, both checked.
  Meta NewestMeta() const;

 private:
  Meta ReadMeta(unsigned index, size_t page_bytes) const;
  std::string CheckMetas(Meta metas[2]) const;
  void ReadVector(uint64_t offset, struct iovec *vector, int count, size_t length_bytes) const;

  std::string path_;
  int descriptor_;
};

}  // namespace seguro::pier
