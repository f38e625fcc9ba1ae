// An exclusive lock (flock) on a small file that names its holder, such as a store's DIR/seguro.lock; the kernel releases it when the process dies.
#pragma once

#include <sys/stat.h>

#include <string>

namespace seguro {

class FileLock {
 public:
  FileLock() = default;
  ~FileLock() { Release(); }
  FileLock(const FileLock &) = delete;
  FileLock &operator=(const FileLock &) = delete;

  /// Takes the lock on the file `path` (created 0600 where allowed) and writes `holder` into it. Returns 0 or an errno; EWOULDBLOCK when
  /// another process (or another opener in this one) has it, and then `other` is what that one wrote.
  int Acquire(const std::string &path, const std::string &holder, std::string *other);
  /// Which file it is that is locked, whatever lies under its name by now. Returns 0, or -1 with errno; only after `Acquire`.
  int Stat(struct stat *found) const { return fstat(fd_, found); }
  void Release();

 private:
  int fd_ = -1;
};

}  // namespace seguro
