// A Disk over Linux: past the page cache where the file system allows it (O_DIRECT, RWF_DSYNC), else through it with fdatasync.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "journal/disk.h"
#include "journal/sector.h"

namespace seguro::journal {

namespace {

/// Repeats a call that a signal has interrupted; a result below 0 becomes the negated errno.
template <typename Call>
auto Errno(Call call) -> decltype(call()) {
  for (;;) {
    auto rc = call();
    if (rc >= 0) return rc;
    if (errno != EINTR) return -errno;
  }
}

class RealFile : public DiskFile {
 public:
  /// `direct_fd` is the same file past the page cache, or -1.
  RealFile(int fd, int direct_fd) : fd_(fd), direct_fd_(direct_fd) {}
  ~RealFile() override {
    if (direct_fd_ >= 0) close(direct_fd_);
    close(fd_);
  }

  int64_t Write(const void *bytes, size_t size, uint64_t offset) override { return WriteOnce(bytes, size, offset, 0); }

  int WriteDurably(const void *bytes, size_t size, uint64_t offset) override {
    auto *at = static_cast<const uint8_t *>(bytes);
    while (size > 0) {
      int64_t wrote = WriteOnce(at, size, offset, RWF_DSYNC);
      if (wrote < 0) return static_cast<int>(wrote);
      // Half a sector is no write that could be gone on from.
      if (wrote == 0 || wrote % static_cast<int64_t>(kSectorBytes) != 0) return -EIO;
      at += wrote;
      size -= static_cast<size_t>(wrote);
      offset += static_cast<uint64_t>(wrote);
    }
    // Past the page cache each write was durable by itself, and nothing else was left in the cache (Write goes past it as well).
    return direct_fd_ >= 0 ? 0 : Flush();
  }

  int Flush() override {
    return Errno([&] { return fdatasync(fd_); });
  }

  int64_t Read(void *bytes, size_t size, uint64_t offset) override {
    if (direct_fd_ < 0) {
      // Pages that are clean leave memory, so that what comes now comes from the device (where there is one: tmpfs has none).
      posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
    }
    int fd = direct_fd_ >= 0 ? direct_fd_ : fd_;
    return Errno([&] { return pread(fd, bytes, size, static_cast<off_t>(offset)); });
  }

  int Allocate(uint64_t bytes) override {
    int rc = Errno([&] { return fallocate(fd_, 0, 0, static_cast<off_t>(bytes)); });
    if (rc != -EOPNOTSUPP) return rc;
    // Where nothing can be reserved, the pattern that is written next takes the space.
    return Errno([&] { return ftruncate(fd_, static_cast<off_t>(bytes)); });
  }

  int64_t Size() override {
    struct stat found {};
    return fstat(fd_, &found) == 0 ? static_cast<int64_t>(found.st_size) : -errno;
  }

 private:
  int64_t WriteOnce(const void *bytes, size_t size, uint64_t offset, int durable) {
    // Without const, because readv has the same struct.
    iovec piece{const_cast<void *>(bytes), size};
    if (direct_fd_ >= 0) {
      int64_t wrote = Errno([&] { return pwritev2(direct_fd_, &piece, 1, static_cast<off_t>(offset), durable); });
      if (wrote != -EINVAL && wrote != -EOPNOTSUPP) return wrote;
      // Refused as such, before anything was written (a device with larger blocks, a file system without such writes): from now on through the cache.
      close(direct_fd_);
      direct_fd_ = -1;
    }
    return Errno([&] { return pwritev(fd_, &piece, 1, static_cast<off_t>(offset)); });
  }

  int fd_;
  int direct_fd_;
};

class LinuxDisk : public Disk {
 public:
  int List(const std::string &dir, std::vector<std::string> *names) override {
    DIR *open = opendir(dir.c_str());
    if (open == nullptr) return -errno;
    names->clear();
    errno = 0;
    while (dirent *entry = readdir(open)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names->push_back(name);
      errno = 0;
    }
    int rc = -errno;
    closedir(open);
    return rc;
  }

  int MakeDirectory(const std::string &dir) override { return mkdir(dir.c_str(), 0700) == 0 ? 0 : -errno; }

  int Create(const std::string &path, std::unique_ptr<DiskFile> *file) override { return OpenFile(path, O_RDWR | O_CREAT | O_EXCL, file); }

  int Open(const std::string &path, bool writable, std::unique_ptr<DiskFile> *file) override {
    return OpenFile(path, writable ? O_RDWR : O_RDONLY, file);
  }

  int Rename(const std::string &from, const std::string &to) override { return rename(from.c_str(), to.c_str()) == 0 ? 0 : -errno; }

  int Unlink(const std::string &path) override { return unlink(path.c_str()) == 0 ? 0 : -errno; }

  int SyncDirectory(const std::string &dir) override {
    int fd = Errno([&] { return open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (fd < 0) return fd;
    int rc = Errno([&] { return fsync(fd); });
    close(fd);
    return rc;
  }

  int FreeBytes(const std::string &dir, uint64_t *bytes) override {
    struct statvfs found {};
    if (statvfs(dir.c_str(), &found) != 0) return -errno;
    *bytes = static_cast<uint64_t>(found.f_bavail) * found.f_frsize;
    return 0;
  }

 private:
  static int OpenFile(const std::string &path, int flags, std::unique_ptr<DiskFile> *file) {
    int fd = Errno([&] { return open(path.c_str(), flags | O_CLOEXEC, 0600); });
    if (fd < 0) return fd;
    int direct_fd = Errno([&] { return open(path.c_str(), (flags & O_ACCMODE) | O_DIRECT | O_CLOEXEC); });
    *file = std::make_unique<RealFile>(fd, direct_fd < 0 ? -1 : direct_fd);
    return 0;
  }
};

}  // namespace

Disk &RealDisk() {
  static LinuxDisk disk;
  return disk;
}

}  // namespace seguro::journal
