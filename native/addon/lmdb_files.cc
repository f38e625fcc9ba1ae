// Folders and their lock, the first data file, and the probe for room of an LMDB store.
#include "lmdb_files.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "kv_failure.h"

namespace seguro {

static constexpr mode_t kFolderMode = 0700;
static constexpr mode_t kFileMode = 0600;

static std::string ParentOf(const std::string &path) {
  size_t end = path.find_last_not_of('/');
  size_t slash = end == std::string::npos ? std::string::npos : path.find_last_of('/', end);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void LmdbFlushFolder(const std::string &dir) {
  int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw KvFailure::From(errno, "open the folder " + dir);
  int rc = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  if (rc != 0) throw KvFailure::From(rc, "flush the folder " + dir);
}

void LmdbCreateFolder(const std::string &dir) {
  int rc = mkdir(dir.c_str(), kFolderMode) == 0 ? 0 : errno;
  if (rc == ENOENT && ParentOf(dir) != dir) {
    LmdbCreateFolder(ParentOf(dir));
    rc = mkdir(dir.c_str(), kFolderMode) == 0 ? 0 : errno;
  }
  if (rc != 0 && rc != EEXIST) throw KvFailure::From(rc, "create the folder " + dir);
  try {
    // Also where the folder was there: a process killed between making and flushing it leaves an entry that only memory holds.
    LmdbFlushFolder(ParentOf(dir));
  } catch (const KvFailure &failure) {
    // A folder that is ours may lie in one that we may not read.
    if (rc == 0 || std::string(failure.code()) != "store-readonly") throw;
  }
}

void LockFolder(FileLock *lock, const KvOptions &options) {
  std::string file = options.dir + "/seguro.lock";
  std::string other;
  int rc = lock->Acquire(file, options.holder, &other);
  if (rc == EWOULDBLOCK) throw KvFailure("store-locked", other);
  bool unwritable = rc == EACCES || rc == EROFS;
  if (rc != 0 && !(unwritable && options.read_only)) throw KvFailure::From(rc, "open " + file);
}

void LmdbCreateDataFile(const std::string &dir) {
  struct stat found {};
  std::string file = dir + "/data.mdb";
  if (stat(file.c_str(), &found) == 0) return;
  if (errno != ENOENT) throw KvFailure::From(errno, "look at " + file);

  std::string aside = dir + "/creating";
  if (mkdir(aside.c_str(), kFolderMode) != 0 && errno != EEXIST) throw KvFailure::From(errno, "create the folder " + aside);
  // What a crash may have left of an earlier attempt.
  unlink((aside + "/data.mdb").c_str());
  unlink((aside + "/lock.mdb").c_str());

  MDB_env *env = nullptr;
  int rc = mdb_env_create(&env);
  if (rc == 0) rc = mdb_env_open(env, aside.c_str(), MDB_NOTLS, kFileMode);
  if (rc == 0) rc = mdb_env_sync(env, 1);
  if (env != nullptr) mdb_env_close(env);
  if (rc != 0) throw KvFailure::From(rc, "create " + aside + "/data.mdb");

  if (rename((aside + "/data.mdb").c_str(), file.c_str()) != 0) throw KvFailure::From(errno, "create " + file);
  unlink((aside + "/lock.mdb").c_str());
  rmdir(aside.c_str());
  LmdbFlushFolder(dir);
}

bool LmdbNoRoom(const std::string &dir, size_t bytes) {
  static constexpr size_t kPieceBytes = 1 << 20;
  std::string file = dir + "/room.probe";
  int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode);
  if (fd < 0) return errno == ENOSPC || errno == EDQUOT;
  std::vector<char> piece(kPieceBytes);
  bool full = false;
  size_t done = 0;
  while (!full && done < bytes) {
    ssize_t wrote = write(fd, piece.data(), std::min(kPieceBytes, bytes - done));
    if (wrote > 0) done += static_cast<size_t>(wrote);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno != ENOSPC && errno != EDQUOT && errno != EFBIG) break;
    full = wrote <= 0;
  }
  if (!full && done >= bytes && fdatasync(fd) != 0) full = errno == ENOSPC || errno == EDQUOT;
  close(fd);
  unlink(file.c_str());
  return full;
}

}  // namespace seguro
