// An exclusive lock on a store's folder: flock on DIR/seguro.lock, which names the holder; the kernel releases it when the process dies.
#pragma once

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
  void Release();

 private:
  int fd_ = -1;
};

}  // namespace seguro
