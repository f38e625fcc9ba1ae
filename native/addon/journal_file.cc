// A file grows: its mapping is made anew when more of it is wanted, and the old one stays with those who have it.
#include "journal_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace seguro {

// Linux 5.14; not in older headers.
static constexpr int kPopulateRead = 22;
static constexpr uint64_t kPageBytes = 4096;

JournalMapping::~JournalMapping() { munmap(bytes_, size_); }

bool JournalMapping::Populate(uint64_t offset, size_t size) const {
  uint64_t begin = offset / kPageBytes * kPageBytes;
  return madvise(bytes_ + begin, static_cast<size_t>(offset - begin) + size, kPopulateRead) == 0;
}

JournalFile::~JournalFile() { close(fd_); }

std::shared_ptr<const JournalMapping> JournalFile::Map(uint64_t end) const {
  std::lock_guard lock(mutex_);
  if (mapping_ != nullptr && mapping_->size() >= end) return mapping_;
  struct stat found {};
  if (fstat(fd_, &found) != 0 || static_cast<uint64_t>(found.st_size) < end || end == 0) return nullptr;
  auto size = static_cast<size_t>(found.st_size);
  void *bytes = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_, 0);
  if (bytes == MAP_FAILED) return nullptr;
  mapping_ = std::make_shared<const JournalMapping>(static_cast<uint8_t *>(bytes), size);
  return mapping_;
}

}  // namespace seguro
