// Opening, closing, and failing of an LMDB store. Commits are in lmdb_commit.cc, reads in lmdb_read.cc.
#include "lmdb_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <utility>

#include "journal_base.h"
#include "lmdb_files.h"

namespace seguro {

// What would let a commit return before its flush.
static constexpr unsigned kForbiddenFlags = MDB_NOSYNC | MDB_NOMETASYNC | MDB_WRITEMAP | MDB_MAPASYNC;
static constexpr uint64_t kLeastMapBytes = uint64_t{1} << 30;

LmdbStore::LmdbStore(KvOptions options) : options_(std::move(options)) {
  struct stat segments {};
  if (!options_.journal_base && stat((options_.dir + "/segments").c_str(), &segments) == 0) {
    throw KvFailure("store-missing", "this folder holds a store of the engine journal: (open it by journal:DIR, or name another folder)");
  }
  if (options_.create) LmdbCreateFolder(options_.dir);
  LockFolder(&lock_, options_);
  if (options_.create) LmdbCreateDataFile(options_.dir);
  LmdbCheckExtent(options_.dir);
  OpenEnvironment();
  if (!options_.journal_base && JournalIsBase(*this)) {
    Close();
    throw KvFailure("store-missing", "this is the base of a store of the engine journal: (open it by journal: and the folder around it)");
  }
}

void LmdbStore::OpenEnvironment() {
  uint64_t map_bytes = options_.map_bytes;
  unsigned flags = MDB_NOTLS | (options_.read_only ? unsigned{MDB_RDONLY} : 0u);
  int rc = TryOpen(map_bytes, flags);
  // Address space is limited on some machines (containers, ulimit -v): take what there is.
  while (rc == ENOMEM && map_bytes / 2 >= kLeastMapBytes) {
    map_bytes /= 2;
    rc = TryOpen(map_bytes, flags);
  }
  // LMDB wants to write its own lock file even to read. Where we may not, our lock on the folder keeps Seguro's writers out.
  if (rc == EACCES && options_.read_only) rc = TryOpen(map_bytes, flags | MDB_NOLOCK);
  if (rc != 0) throw KvFailure::From(rc, "open " + options_.dir + "/data.mdb");
}

int LmdbStore::TryOpen(uint64_t map_bytes, unsigned flags) {
  MDB_env *env = nullptr;
  MDB_txn *txn = nullptr;
  int dead_readers = 0;
  int rc = mdb_env_create(&env);
  if (rc != 0) return rc;
  rc = mdb_env_set_mapsize(env, map_bytes);
  if (rc == 0) rc = mdb_env_open(env, options_.dir.c_str(), flags, 0600);
  unsigned got = 0;
  if (rc == 0) rc = mdb_env_get_flags(env, &got);
  if (rc == 0 && (got & kForbiddenFlags) != 0) rc = EINVAL;
  if (rc == 0) rc = mdb_reader_check(env, &dead_readers);
  // A writer killed within its last write may have left in the page cache what is not on disk. From here on it is shown, so flush it first.
  int fd = -1;
  if (rc == 0 && !options_.read_only) rc = mdb_env_get_fd(env, &fd);
  if (rc == 0 && fd >= 0 && fdatasync(fd) != 0) rc = errno;
  if (rc == 0) rc = mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn);
  if (rc == 0) rc = mdb_dbi_open(txn, nullptr, 0, &dbi_);
  if (txn != nullptr) {
    // Committing keeps the handle open; a read transaction writes nothing.
    int end = mdb_txn_commit(txn);
    if (rc == 0) rc = end;
  }
  if (rc == 0 && !options_.read_only) {
    try {
      LmdbFlushFolder(options_.dir);
    } catch (...) {
      mdb_env_close(env);
      throw;
    }
  }
  if (rc != 0) {
    mdb_env_close(env);
    return rc;
  }
  env_ = env;
  return 0;
}

void LmdbStore::RequireUsable() const {
  if (poisoned_) throw KvFailure("store-failed", poison_);
  if (env_ == nullptr) throw KvFailure("store-closed", "the store is closed");
}

void LmdbStore::CommitFailed(int rc, const char *step, size_t group_bytes) {
  bool reopen = NeedsReopening();
  // LMDB calls a short write EIO. If the meta page was not touched, nothing that was ever acknowledged depends on the failed write: a full
  // disk is told from a broken one by trying. Pages beside the values: some per level and per free list.
  static constexpr size_t kRoomBesideValues = size_t{4} << 20;
  if (rc == EIO && !reopen && LmdbNoRoom(options_.dir, 2 * group_bytes + kRoomBesideValues)) rc = ENOSPC;
  KvFailure failure = KvFailure::From(rc, step);
  if (std::string(failure.code()) != "store-full" && rc != ENOMEM && rc != MDB_TXN_FULL) {
    // A page that was to be flushed may be lost while the page cache still shows it: nothing more is said of this store until an operator
    // has looked at the disk and opened it again.
    Poison(failure.what());
  } else if (reopen) {
    Reopen();
  }
  throw failure;
}

bool LmdbStore::NeedsReopening() {
  // After a failed write of the meta page LMDB refuses everything on this environment.
  std::shared_lock lock(gate_);
  if (env_ == nullptr) return false;
  MDB_txn *txn = nullptr;
  int rc = mdb_txn_begin(env_, nullptr, 0, &txn);
  if (txn != nullptr) mdb_txn_abort(txn);
  return rc == MDB_PANIC;
}

void LmdbStore::Reopen() {
  std::unique_lock lock(gate_);
  mdb_env_close(env_);
  env_ = nullptr;
  try {
    OpenEnvironment();
  } catch (const KvFailure &failure) {
    Poison(std::string("the store could not be opened again after a failed write: ") + failure.what());
  }
}

void LmdbStore::Poison(const std::string &why) {
  poison_ = "an earlier write failed (" + why + "), and what the disk holds is not known";
  poisoned_ = true;
}

void LmdbStore::Close() {
  std::unique_lock lock(gate_);
  if (env_ != nullptr) mdb_env_close(env_);
  env_ = nullptr;
  lock_.Release();
}

}  // namespace seguro
