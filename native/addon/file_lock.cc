// flock on a small file that names its holder.
#include "file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace seguro {

static std::string ReadHolder(int fd) {
  char text[4096];
  ssize_t got = pread(fd, text, sizeof text, 0);
  return got > 0 ? std::string(text, static_cast<size_t>(got)) : std::string();
}

int FileLock::Acquire(const std::string &path, const std::string &holder, std::string *other) {
  bool writable = true;
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EACCES || errno == EROFS)) {
    // A reader of a store that it may not write can still see whether somebody has it, and keep writers out.
    int first = errno;
    writable = false;
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return first;
  }
  if (fd < 0) return errno;
  int rc;
  do {
    rc = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  } while (rc == EINTR);
  if (rc != 0) {
    if (rc == EWOULDBLOCK) *other = ReadHolder(fd);
    close(fd);
    return rc;
  }
  // The lock holds even where its text cannot be written (a full disk): the text is for people only.
  if (writable && ftruncate(fd, 0) == 0) {
    ssize_t wrote = pwrite(fd, holder.data(), holder.size(), 0);
    static_cast<void>(wrote);
  }
  fd_ = fd;
  return 0;
}

void FileLock::Release() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace seguro
