// One open ship file: its descriptor, and a read-only mapping of it for those who walk over whole blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace seguro {

class JournalMapping {
 public:
  JournalMapping(uint8_t *bytes, size_t size) : bytes_(bytes), size_(size) {}
  ~JournalMapping();
  JournalMapping(const JournalMapping &) = delete;
  JournalMapping &operator=(const JournalMapping &) = delete;

  const uint8_t *bytes() const { return bytes_; }
  size_t size() const { return size_; }
  /// Has the bytes brought into memory, so that touching them does not end the process where the disk cannot read or the file was cut. False where
  /// they cannot be had, or the system (Linux before 5.14) cannot do it.
  bool Populate(uint64_t offset, size_t size) const;

 private:
  uint8_t *bytes_;
  size_t size_;
};

class JournalFile {
 public:
  explicit JournalFile(int fd) : fd_(fd) {}
  ~JournalFile();
  JournalFile(const JournalFile &) = delete;
  JournalFile &operator=(const JournalFile &) = delete;

  int fd() const { return fd_; }
  /// A mapping that has the bytes below `end`; null if there is none to be had. Any thread.
  std::shared_ptr<const JournalMapping> Map(uint64_t end) const;

 private:
  int fd_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const JournalMapping> mapping_;
};

}  // namespace seguro
