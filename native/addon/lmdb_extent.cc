// Whether a data file holds every page that its newest meta reaches, read with bounds checks and without mapping it.
//
// LMDB does not write pages that one transaction both allocated and freed, so a sound file may end before its last page number. Only when
// the file is shorter than that are the trees walked.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "kv_failure.h"
#include "lmdb_files.h"
#include "wire/bytes.h"

namespace seguro {
namespace {

// LMDB 0.9's file format on 64-bit machines.
constexpr uint32_t kMagic = 0xBEEFC0DE;
constexpr uint32_t kDataVersion = 1;
constexpr size_t kPageHeaderBytes = 16;
constexpr size_t kMetaMainOffset = kPageHeaderBytes + 24 + 48;
constexpr size_t kMetaFreeOffset = kPageHeaderBytes + 24;
constexpr size_t kMetaLastPageOffset = kPageHeaderBytes + 24 + 96;
constexpr size_t kMetaBytes = kMetaLastPageOffset + 16;
constexpr size_t kRootOffset = 40;  // in a database record
constexpr uint16_t kBranch = 0x01;
constexpr uint16_t kLeaf = 0x02;
constexpr uint16_t kOverflow = 0x04;
constexpr uint16_t kMetaPage = 0x08;
constexpr uint16_t kBigData = 0x01;  // node flag: the value lies on overflow pages
constexpr size_t kNodeHeaderBytes = 8;
constexpr uint64_t kNoPage = ~uint64_t{0};
constexpr int kGreatestDepth = 32;

[[noreturn]] void Damaged(const std::string &what) { throw KvFailure("store-damaged", what); }

class ExtentWalk {
 public:
  ExtentWalk(int fd, const std::string &file, uint64_t file_bytes) : fd_(fd), file_(file), file_bytes_(file_bytes) {}

  void Run() {
    uint8_t first[kMetaBytes];
    Read(first, sizeof first, 0);
    if (!IsMeta(first)) Damaged(file_ + " is no LMDB 0.9 data file");
    page_bytes_ = seguro_load_u32(first + kMetaFreeOffset);
    if (page_bytes_ < 512 || page_bytes_ > 65536 || (page_bytes_ & (page_bytes_ - 1)) != 0) Damaged(file_ + " has an impossible page size");
    uint8_t second[kMetaBytes];
    Read(second, sizeof second, page_bytes_);
    if (!IsMeta(second)) Damaged(file_ + " has lost its second meta page");
    const uint8_t *meta =
        seguro_load_u64(second + kMetaLastPageOffset + 8) > seguro_load_u64(first + kMetaLastPageOffset + 8) ? second : first;
    uint64_t last_page = seguro_load_u64(meta + kMetaLastPageOffset);
    if (last_page < file_bytes_ / page_bytes_) return;
    Walk(seguro_load_u64(meta + kMetaFreeOffset + kRootOffset), 0);
    Walk(seguro_load_u64(meta + kMetaMainOffset + kRootOffset), 0);
  }

 private:
  static bool IsMeta(const uint8_t *page) {
    return (seguro_load_u16(page + 10) & kMetaPage) != 0 && seguro_load_u32(page + kPageHeaderBytes) == kMagic &&
           seguro_load_u32(page + kPageHeaderBytes + 4) == kDataVersion;
  }

  void Read(uint8_t *to, size_t bytes, uint64_t offset) {
    if (offset > file_bytes_ || bytes > file_bytes_ - offset) {
      Damaged(file_ + " is cut short: it has " + std::to_string(file_bytes_) + " bytes and needs those at " + std::to_string(offset));
    }
    ssize_t got = pread(fd_, to, bytes, static_cast<off_t>(offset));
    if (got < 0) throw KvFailure::From(errno, "read " + file_);
    if (static_cast<size_t>(got) != bytes) Damaged(file_ + " is cut short at " + std::to_string(offset));
  }

  void Walk(uint64_t page_number, int depth) {
    if (page_number == kNoPage) return;
    if (depth > kGreatestDepth || page_number > file_bytes_ / page_bytes_) Damaged(file_ + " is cut short or has a broken tree");
    std::vector<uint8_t> page(page_bytes_);
    Read(page.data(), page.size(), page_number * page_bytes_);
    uint16_t flags = seguro_load_u16(page.data() + 10);
    size_t lower = seguro_load_u16(page.data() + 12);
    if ((flags & (kBranch | kLeaf)) == 0 || lower < kPageHeaderBytes || lower > page.size())
      Damaged(file_ + " has a broken page " + std::to_string(page_number));
    for (size_t at = kPageHeaderBytes; at + 2 <= lower; at += 2) {
      size_t node = seguro_load_u16(page.data() + at);
      if (node + kNodeHeaderBytes > page.size()) Damaged(file_ + " has a broken page " + std::to_string(page_number));
      Node(page, node, flags, depth);
    }
  }

  void Node(const std::vector<uint8_t> &page, size_t node, uint16_t flags, int depth) {
    const uint8_t *at = page.data() + node;
    uint64_t low = seguro_load_u32(at);
    uint16_t node_flags = seguro_load_u16(at + 4);
    if ((flags & kBranch) != 0) {
      Walk(low | (uint64_t{node_flags} << 32), depth + 1);
      return;
    }
    if ((node_flags & kBigData) == 0) return;
    size_t key_bytes = seguro_load_u16(at + 6);
    if (node + kNodeHeaderBytes + key_bytes + 8 > page.size()) Damaged(file_ + " has a broken leaf");
    uint64_t value_page = seguro_load_u64(at + kNodeHeaderBytes + key_bytes);
    if (value_page > file_bytes_ / page_bytes_) Damaged(file_ + " is cut short before a value");
    uint8_t header[kPageHeaderBytes];
    Read(header, sizeof header, value_page * page_bytes_);
    uint64_t end = (value_page + seguro_load_u32(header + 12)) * page_bytes_;
    if ((seguro_load_u16(header + 10) & kOverflow) == 0 || end > file_bytes_) Damaged(file_ + " is cut short within a value");
  }

  int fd_;
  const std::string &file_;
  uint64_t file_bytes_;
  size_t page_bytes_ = 0;
};

}  // namespace

void LmdbCheckExtent(const std::string &dir) {
  std::string file = dir + "/data.mdb";
  int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw KvFailure::From(errno, "open " + file);
  struct stat found {};
  int rc = fstat(fd, &found) == 0 ? 0 : errno;
  try {
    if (rc != 0) throw KvFailure::From(rc, "look at " + file);
    ExtentWalk(fd, file, static_cast<uint64_t>(found.st_size)).Run();
  } catch (...) {
    close(fd);
    throw;
  }
  close(fd);
}

}  // namespace seguro
