// The calls that the log makes of a file system, so that tests can put a fake disk under it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace seguro::journal {

/// An open file. Methods return 0 or a count of bytes, or an errno value negated; they never throw for what the system reports.
class DiskFile {
 public:
  virtual ~DiskFile() = default;
  DiskFile() = default;
  DiskFile(const DiskFile &) = delete;
  DiskFile &operator=(const DiskFile &) = delete;

  /// Writes; durable only after `Flush`. May write less than it was asked to.
  virtual int64_t Write(const void *bytes, size_t size, uint64_t offset) = 0;
  /// Writes all of it, and returns (0) only when it is durable, together with what was written before: one flush of the device, or one write
  /// that goes through to its medium. After an error nobody knows which sectors hold the new bytes, whatever a read says. Address, size and
  /// offset are multiples of 512.
  virtual int WriteDurably(const void *bytes, size_t size, uint64_t offset) = 0;
  /// Makes everything written durable, the file's size too, its name not (Disk::SyncDirectory).
  virtual int Flush() = 0;
  /// Reads from the device and not from memory, which may hold what a failed flush never brought there. Fewer bytes only at the file's end.
  /// Address, size and offset are multiples of 4096.
  virtual int64_t Read(void *bytes, size_t size, uint64_t offset) = 0;
  /// Reserves space for so many bytes and makes the file so long.
  virtual int Allocate(uint64_t bytes) = 0;
  virtual int64_t Size() = 0;
};

/// Paths are complete ones. Methods return 0 or an errno value negated.
class Disk {
 public:
  virtual ~Disk() = default;
  Disk() = default;
  Disk(const Disk &) = delete;
  Disk &operator=(const Disk &) = delete;

  /// Names in a folder, without "." and "..", in no order.
  virtual int List(const std::string &dir, std::vector<std::string> *names) = 0;
  /// Creates a folder, 0700; -EEXIST where there is one.
  virtual int MakeDirectory(const std::string &dir) = 0;
  /// Creates a file, 0600, for writing and reading; -EEXIST where there is one.
  virtual int Create(const std::string &path, std::unique_ptr<DiskFile> *file) = 0;
  virtual int Open(const std::string &path, bool writable, std::unique_ptr<DiskFile> *file) = 0;
  /// Names change at once, durably after `SyncDirectory`.
  virtual int Rename(const std::string &from, const std::string &to) = 0;
  virtual int Unlink(const std::string &path) = 0;
  virtual int SyncDirectory(const std::string &dir) = 0;
  /// Bytes that we may still allocate there.
  virtual int FreeBytes(const std::string &dir, uint64_t *bytes) = 0;
};

/// The machine's own file systems.
Disk &RealDisk();

}  // namespace seguro::journal
