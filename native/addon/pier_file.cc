// Reading pages and meta pages of a data.mdb.
#include "pier_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace seguro::pier {

// A live writer may be half-way through a meta page when it is read; so often a doubtful pair is read again before it counts as damage.
constexpr int kMetaAttempts = 1000;

File::File(std::string path) : path_(std::move(path)), descriptor_(open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw SystemFault("cannot open " + path_, errno);
  }
  struct stat status;
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor_);
    throw PierFault("pier-damaged", path_ + " is not a regular file");
  }
  (void)posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
}

File::~File() { close(descriptor_); }

uint64_t File::LengthBytes() const {
  struct stat status;
  if (fstat(descriptor_, &status) != 0) {
    throw SystemFault("cannot look at " + path_, errno);
  }
  return static_cast<uint64_t>(status.st_size);
}

void File::ReadVector(uint64_t offset, iovec *vector, int count, size_t length_bytes) const {
  while (length_bytes > 0) {
    ssize_t got = preadv(descriptor_, vector, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      throw SystemFault("cannot read " + path_ + " at byte " + std::to_string(offset), errno);
    }
    if (got == 0) {
      throw PierFault("pier-damaged", path_ + " is cut short: it ends at byte " + std::to_string(offset) + ", but its tables go on",
                      kDamageHint);
    }
    offset += static_cast<uint64_t>(got);
    length_bytes -= static_cast<size_t>(got);
    size_t skip = static_cast<size_t>(got);
    while (count > 0 && skip >= vector->iov_len) {
      skip -= vector->iov_len;
      vector++;
      count--;
    }
    if (count > 0) {
      vector->iov_base = static_cast<uint8_t *>(vector->iov_base) + skip;
      vector->iov_len -= skip;
    }
  }
}

void File::Read(uint64_t offset, void *to, size_t length_bytes) const {
  iovec vector = {to, length_bytes};
  ReadVector(offset, &vector, 1, length_bytes);
}

size_t File::ReadUpTo(uint64_t offset, void *to, size_t least_bytes, size_t most_bytes) const {
  ssize_t got = pread(descriptor_, to, most_bytes, static_cast<off_t>(offset));
  size_t read_bytes = got > 0 ? static_cast<size_t>(got) : 0;
  if (read_bytes < least_bytes) {
    Read(offset + read_bytes, static_cast<uint8_t *>(to) + read_bytes, least_bytes - read_bytes);
    return least_bytes;
  }
  return read_bytes;
}

void File::ReadTwo(uint64_t offset, void *first, size_t first_bytes, void *second, size_t second_bytes) const {
  iovec vector[2] = {{first, first_bytes}, {second, second_bytes}};
  ReadVector(offset, vector, 2, first_bytes + second_bytes);
}

// Throws for what no live writer can cause: meta pages are never without their header once the file exists.
Meta File::ReadMeta(unsigned index, size_t page_bytes) const {
  uint8_t bytes[kMetaPageBytes];
  Read(index * page_bytes, bytes, sizeof bytes);
  Meta meta;
  std::memcpy(&meta, bytes + kPageHeaderBytes, sizeof meta);
  std::string name = path_ + ": meta page " + std::to_string(index) + " of 2";
  Page page(bytes, sizeof bytes);
  if (page.number() != index || page.flags() != kPageMeta || meta.magic != kMagic) {
    throw PierFault("pier-damaged", name + " is lost, or this is not an LMDB file",
                    "the file needs both; restore it from another copy of the pier");
  }
  if (meta.version != kDataVersion) {
    throw PierFault("pier-unsupported", name + " has LMDB data format " + std::to_string(meta.version) + "; Vere writes 1", "");
  }
  return meta;
}

static std::string CheckTree(const Tree &tree, const Meta &meta, const char *name) {
  bool empty = tree.root == kNoPage;
  if (empty != (tree.depth == 0) || empty != (tree.entries == 0) || tree.depth > kDepthMax ||
      (!empty && (tree.root < 2 || tree.root > meta.last_page))) {
    return std::string("an impossible root of the ") + name;
  }
  return "";
}

std::string File::CheckMetas(Meta metas[2]) const {
  metas[0] = ReadMeta(0, 0);
  size_t page_bytes = metas[0].free.page_bytes;
  if (page_bytes < 4096 || page_bytes > 32768 || (page_bytes & (page_bytes - 1)) != 0) {
    return "meta page 0 has an impossible page size";
  }
  metas[1] = ReadMeta(1, page_bytes);
  for (unsigned i = 0; i < 2; i++) {
    const Meta &meta = metas[i];
    std::string name = "meta page " + std::to_string(i);
    if (meta.free.page_bytes != page_bytes) {
      return name + " disagrees about the page size";
    }
    if (meta.last_page < 1 || meta.last_page > (uint64_t{1} << 46)) {
      return name + " has an impossible last page";
    }
    std::string wrong = CheckTree(meta.free, meta, "list of free pages");
    wrong = wrong.empty() ? CheckTree(meta.main, meta, "table of tables") : wrong;
    if (!wrong.empty()) {
      return name + " has " + wrong;
    }
  }
  // Transaction N writes meta page N % 2, so the two are neighbours; a fresh file has 0 in both.
  uint64_t even = metas[0].transaction;
  uint64_t odd = metas[1].transaction;
  bool neighbours = even % 2 == 0 && odd % 2 == 1 && (even == odd + 1 || odd == even + 1);
  if (!neighbours && !(even == 0 && odd == 0)) {
    return "meta pages 0 and 1 are of transactions " + std::to_string(even) + " and " + std::to_string(odd) +
           ", which cannot be: one of them is old or lost";
  }
  return "";
}

Meta File::NewestMeta() const {
  std::string wrong;
  Meta before[2];
  Meta after[2];
  for (int attempt = 0; attempt < kMetaAttempts; attempt++) {
    wrong = CheckMetas(before);
    std::string again = CheckMetas(after);
    if (wrong.empty() && again.empty() && std::memcmp(before, after, sizeof before) == 0) {
      return after[0].transaction > after[1].transaction ? after[0] : after[1];
    }
  }
  if (wrong.empty()) {
    throw PierFault("pier-busy", path_ + " changes too fast to be read", "try again when the ship is quieter");
  }
  throw PierFault("pier-damaged", path_ + ": " + wrong, "restore this file from another copy of the pier");
}

}  // namespace seguro::pier
