// A store on stock LMDB 0.9: open, commit, get, range; knows nothing of JavaScript. Commits come from one thread, reads from any.
#pragma once

#include <lmdb.h>

#include <atomic>
#include <cstdint>
#include <shared_mutex>
#include <string>
#include <vector>

#include "file_lock.h"
#include "lmdb_failure.h"
#include "lmdb_group.h"

namespace seguro {

struct LmdbOptions {
  std::string dir;
  std::string holder;  // what the lock file says about us
  uint64_t map_bytes = 0;
  bool create = true;
  bool read_only = false;
};

struct LmdbRangeRequest {
  std::vector<uint8_t> from;
  std::vector<uint8_t> to;
  uint64_t limit_rows = 0;
  uint64_t limit_bytes = 0;
  bool reverse = false;
  // Memory for the rows if they fit; the caller's, and left alone otherwise.
  uint8_t *into = nullptr;
  size_t into_bytes = 0;
};

/// Rows as src/store/kv.ts packs them. The memory is the request's (`borrowed`), or from malloc, so that it can be handed to JavaScript as it is.
struct LmdbRows {
  uint8_t *bytes = nullptr;
  size_t size = 0;
  uint64_t count = 0;
  bool more = false;
  bool borrowed = false;
};

struct LmdbFigures {
  uint64_t file_bytes, map_bytes, page_bytes, last_page, entries, depth, branch_pages, leaf_pages, overflow_pages, transaction, readers;
};

class LmdbStore {
 public:
  /// Locks and opens. Throws LmdbFailure.
  explicit LmdbStore(LmdbOptions options);
  ~LmdbStore() { Close(); }
  LmdbStore(const LmdbStore &) = delete;
  LmdbStore &operator=(const LmdbStore &) = delete;

  /// Applies the group; one outcome a member, 1 = committed. Returns after the flush. Throws LmdbFailure: then nothing is known.
  std::vector<uint8_t> Commit(const LmdbGroup &group);
  /// False if the key is absent. `value` is malloc'ed.
  bool Get(const std::vector<uint8_t> &key, uint8_t **value, size_t *size);
  LmdbRows Range(const LmdbRangeRequest &request);
  LmdbFigures Figures();
  void Close();

 private:
  class ReadTransaction;

  void OpenEnvironment();
  int TryOpen(uint64_t map_bytes, unsigned flags);
  void RequireUsable() const;
  [[noreturn]] void CommitFailed(int rc, const char *step, size_t group_bytes);
  bool NeedsReopening();
  void Reopen();
  void Poison(const std::string &why);

  LmdbOptions options_;
  FileLock lock_;
  // Shared: a transaction runs. Exclusive: the environment is exchanged or closed.
  std::shared_mutex gate_;
  MDB_env *env_ = nullptr;
  MDB_dbi dbi_ = 0;
  std::atomic<bool> poisoned_{false};
  std::string poison_;
};

}  // namespace seguro
